#: rule HEALTHCHECK replaces the base's, options included (1.10)
FROM full
HEALTHCHECK CMD own
