#: rule WORKDIR below a file is an error
#: fails
FROM busybox
WORKDIR /etc/passwd/x
