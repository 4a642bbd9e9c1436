#: rule a symlink in the path is followed within the root (1.9, 1.10)
FROM busybox
WORKDIR /link/sub
