#: rule --reproducible: same digest from another directory, with other owners, umask and order (2.6)
#: flags --reproducible
#: env SOURCE_DATE_EPOCH=
#: ignore archive.*
#: ignore *.gz
#: twice
FROM scratch
WORKDIR /w
COPY . /context/
LABEL a=b
