#: rule FROM --platform=$BUILDPLATFORM (1.6)
#: flags --custom-platform linux/arm64
FROM --platform=$BUILDPLATFORM multi
ARG BUILDPLATFORM
LABEL b=$BUILDPLATFORM
