#: rule SOURCE_DATE_EPOCH as build argument wins over the environment (2.6)
#: flags --build-arg SOURCE_DATE_EPOCH=1234567890
FROM scratch
ARG SOURCE_DATE_EPOCH
WORKDIR /w
LABEL e=$SOURCE_DATE_EPOCH
