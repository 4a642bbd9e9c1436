#: rule an unknown name is an error (Kaniko)
#: fails
FROM busybox
COPY --chown=nope hello.txt /a
