#: rule HEALTHCHECK, exec form (1.10)
FROM scratch
HEALTHCHECK CMD ["true", "a b"]
