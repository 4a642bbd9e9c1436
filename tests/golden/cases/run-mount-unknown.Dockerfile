#: rule an unknown type of mount is an error with the nearest one (1.10)
#: fails
FROM busybox
RUN --mount=type=cahce,target=/x true
