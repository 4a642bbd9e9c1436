#: rule an interval below 1 ms is an error (1.10)
#: fails
FROM scratch
HEALTHCHECK --interval=1us CMD x
