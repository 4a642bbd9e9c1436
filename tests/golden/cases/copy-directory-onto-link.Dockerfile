#: rule a directory inside of a source over a link to a directory is an error (1.9)
#: fails
FROM busybox
RUN mkdir -p /real/x && ln -s x /real/sub
COPY dir /real
