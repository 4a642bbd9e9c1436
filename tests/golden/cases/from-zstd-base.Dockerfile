#: rule a zstd layer of the base keeps its bytes and type; own layers are gzip (2.3)
FROM zstd
WORKDIR /w
