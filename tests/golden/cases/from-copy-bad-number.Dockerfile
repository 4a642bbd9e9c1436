#: rule COPY --from a number that no stage has is an error (BuildKit: invalid stage index)
#: fails
FROM scratch
COPY --from=7 / /
