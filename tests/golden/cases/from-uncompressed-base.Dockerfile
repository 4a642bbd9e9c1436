#: rule an uncompressed layer of the base keeps its bytes and type (2.3)
FROM plaintar
WORKDIR /w
