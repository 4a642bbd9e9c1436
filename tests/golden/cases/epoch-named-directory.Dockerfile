#: rule a directory has no time: SOURCE_DATE_EPOCH=context leaves the build without an epoch (2.6)
#: env SOURCE_DATE_EPOCH=context
FROM scratch
ARG SOURCE_DATE_EPOCH
LABEL epoch=${SOURCE_DATE_EPOCH-unset}
COPY hello.txt /
