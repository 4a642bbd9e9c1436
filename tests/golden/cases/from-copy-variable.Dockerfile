#: rule a variable in COPY --from is an error that advises a stage (1.4)
#: fails
FROM scratch
COPY --from=$X / /
