#: rule stages that copy from each other are an error (1.6)
#: fails
FROM scratch AS a
COPY --from=b /x /
FROM scratch AS b
COPY --from=a /x /
