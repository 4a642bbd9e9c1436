#: rule a global ARG is not visible in a stage that does not declare it (1.5)
ARG A=global
FROM scratch
LABEL a=x$A
