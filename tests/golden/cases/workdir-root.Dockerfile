#: rule WORKDIR / has no layer (1.10)
FROM scratch
WORKDIR /
