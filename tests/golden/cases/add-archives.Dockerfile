#: rule ADD unpacks archives by content, keeping owners; others are copied (1.9)
FROM scratch
ADD archive.tar /tar/
ADD archive.tgz /tgz/
ADD archive.tar.bz2 /bz2/
ADD archive.tar.xz /xz/
ADD archive.tar.zst /zst/
ADD hello.txt /plain
