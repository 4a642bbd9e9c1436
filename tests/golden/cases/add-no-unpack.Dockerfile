#: rule --unpack=false copies the archive; COPY never unpacks (1.9)
FROM scratch
ADD --unpack=false archive.tar /x/
COPY archive.tar /y/
