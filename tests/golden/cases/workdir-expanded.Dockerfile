#: rule WORKDIR is expanded (1.4)
FROM scratch
ENV D=/dir
WORKDIR $D/x
