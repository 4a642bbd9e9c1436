#: rule wildcards: files to a directory (1.9)
FROM scratch
COPY a?.txt /x/
