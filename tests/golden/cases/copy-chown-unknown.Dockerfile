#: rule an unknown name is root (BuildKit's code; its documents and Kaniko say error) (1.9)
FROM busybox
COPY --chown=nope hello.txt /a
