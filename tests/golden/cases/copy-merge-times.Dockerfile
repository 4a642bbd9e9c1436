#: rule an existing destination directory keeps mode and owner (1.9)
FROM busybox
COPY other /opt/data/
