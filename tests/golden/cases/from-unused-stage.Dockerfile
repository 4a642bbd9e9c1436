#: rule stages that the target does not need are not built, their base is not fetched (1.6)
FROM nowhere.invalid/unused AS unused
RUN false
FROM scratch
LABEL a=b
