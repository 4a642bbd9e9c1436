#: rule a secret that is required and missing is an error (1.10)
#: fails
FROM busybox
RUN --mount=type=secret,id=none,required true
