#: rule a default that is overridden is not expanded: its error does not fire (1.5)
#: flags --build-arg A=given
FROM scratch
ARG A=${NOPE:?missing}
LABEL a=$A
