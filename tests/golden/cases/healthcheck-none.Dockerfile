#: rule HEALTHCHECK NONE over the base's (1.10)
FROM full
HEALTHCHECK NONE
