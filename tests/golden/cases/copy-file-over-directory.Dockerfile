#: rule a file over a directory is an error (1.9)
#: fails
FROM busybox
COPY hello.txt /opt/data/one/
