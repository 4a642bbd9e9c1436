#: rule ARG NAME without a default takes the global value (1.5)
ARG A=global
FROM scratch
ARG A
LABEL a=$A
