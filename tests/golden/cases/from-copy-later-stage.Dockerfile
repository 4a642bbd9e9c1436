#: rule COPY --from a later stage is an error (1.6)
#: fails
FROM scratch AS a
COPY --from=b /x /
FROM scratch AS b
FROM a
