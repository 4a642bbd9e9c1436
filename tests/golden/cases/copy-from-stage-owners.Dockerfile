#: rule COPY --from keeps owners; a destination directory that it makes is 0755 and root's (1.9)
FROM busybox AS one
FROM scratch
COPY --from=one /opt/data /made/dir
COPY --from=one /opt/data/one /file
