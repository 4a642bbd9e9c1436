#: rule zstd has no Docker type: the image becomes OCI (2.3, BuildKit)
#: flags --compression=zstd
FROM scratch
WORKDIR /w
