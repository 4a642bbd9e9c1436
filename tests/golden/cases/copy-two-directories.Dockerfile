#: rule two directories merge (1.12)
FROM scratch
COPY dir other /dst/
