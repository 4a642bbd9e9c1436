#: rule a default that is used and fails, fails (1.4)
#: fails
FROM scratch
ARG A=${NOPE:?missing}
LABEL a=$A
