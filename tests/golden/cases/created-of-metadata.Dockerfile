#: rule without a time given, entries without layer take the time of the layer before them, and created is the last entry's (2.1)
#: env SOURCE_DATE_EPOCH=
#: twice
FROM busybox
LABEL a=b
ENV C=d
