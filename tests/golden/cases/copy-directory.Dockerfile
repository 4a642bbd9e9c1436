#: rule a directory source copies its contents (1.9)
FROM scratch
COPY other /dst
