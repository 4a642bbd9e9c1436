#: rule an empty VOLUME is an error (1.10)
#: fails
FROM scratch
VOLUME $NOPE
