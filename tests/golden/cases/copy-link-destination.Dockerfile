#: rule a symlink in the destination is followed within the root (1.9)
FROM busybox
COPY hello.txt /link/
COPY hello.txt /opt/absolute/name
