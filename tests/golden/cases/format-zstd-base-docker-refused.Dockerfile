#: rule a zstd base with --image-format=docker is refused (2.3)
#: flags --image-format=docker
#: fails
FROM zstd
WORKDIR /w
