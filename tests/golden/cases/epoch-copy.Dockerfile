#: rule SOURCE_DATE_EPOCH: what COPY copies has that time, older files too; what is in an archive keeps its own (convert_copy.go, WithCreatedTime)
#: env SOURCE_DATE_EPOCH=1300000000
#: twice
FROM scratch
COPY dir /dir
ADD archive.tar /unpacked/
COPY <<EOF /here
text
EOF
