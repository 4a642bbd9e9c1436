#: rule --build-arg wins over the line's default (1.5)
#: flags --build-arg A=2
FROM busybox
ARG A=1
LABEL a=$A
