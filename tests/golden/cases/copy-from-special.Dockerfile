#: rule devices, fifos, xattrs and hard links through COPY --from (1.9, 1.12)
FROM busybox AS one
FROM scratch
COPY --from=one /opt /opt
