#: rule ARG NAME= has an empty value (1.5)
FROM scratch
ARG A=
LABEL a=${A-unset} b=${A:-empty}
