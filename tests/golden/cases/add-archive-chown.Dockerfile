#: rule --chown owns what is unpacked (1.9)
FROM scratch
ADD --chown=3:4 archive.tgz /x/
