#: rule ARG takes effect name by name, unlike ENV (1.5)
FROM scratch
ARG A=1 B=$A C
LABEL b=$B c=${C-unset}
