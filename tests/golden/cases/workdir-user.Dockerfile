#: rule directories that WORKDIR makes belong to the USER (1.10)
FROM busybox
USER app
WORKDIR /made/by/app
USER 7:8
WORKDIR /seven
USER app:extra
WORKDIR /group
