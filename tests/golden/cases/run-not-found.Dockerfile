#: rule a command that is not there: 127
#: fails
FROM busybox
RUN ["/nope"]
