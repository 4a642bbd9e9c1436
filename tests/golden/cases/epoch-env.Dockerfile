#: rule SOURCE_DATE_EPOCH: created, new history, directories of WORKDIR (2.6)
#: env SOURCE_DATE_EPOCH=1000000000
FROM scratch
WORKDIR /w
LABEL x=y
