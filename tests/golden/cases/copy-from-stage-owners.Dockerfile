#: rule COPY --from keeps owners; a made destination directory is root's (1.9)
FROM busybox AS one
FROM scratch
COPY --from=one /opt/data /made/dir
COPY --from=one /opt/data/one /file
