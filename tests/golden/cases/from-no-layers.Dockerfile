#: rule a base without layers (1.6)
FROM nolayers
WORKDIR /w
