#: rule zstd with --image-format=docker is refused (2.3)
#: flags --compression=zstd --image-format=docker
#: fails
FROM scratch
WORKDIR /w
