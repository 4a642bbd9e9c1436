#: rule an automatic argument is not visible without ARG (1.5)
FROM scratch
LABEL p=x$TARGETARCH
