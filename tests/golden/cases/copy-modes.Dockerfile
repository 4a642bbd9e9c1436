#: rule modes, set-uid bits, xattrs, fifos and hard links are kept, owners are not (1.9)
FROM scratch
COPY dir /d/
