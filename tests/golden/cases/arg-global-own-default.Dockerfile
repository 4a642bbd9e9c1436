#: rule the stage line's own default wins over the global value (1.5)
ARG A=global
FROM scratch
ARG A=own
LABEL a=$A
