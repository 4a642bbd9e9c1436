#: rule an existing directory is left alone: an empty layer (1.10)
FROM busybox
WORKDIR /opt/data
