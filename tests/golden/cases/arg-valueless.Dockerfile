#: rule an ARG without value is recorded in history and not in the environment (1.5); RUN's prefix shows it empty, as BuildKit's code writes it
FROM busybox
ARG NOTHING
RUN env | grep -c NOTHING > /count || true
LABEL n=${NOTHING-unset}
