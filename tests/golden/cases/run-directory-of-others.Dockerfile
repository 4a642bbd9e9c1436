#: rule RUN starts in a directory that its user cannot enter (1.10, runc)
FROM busybox
RUN mkdir -m 700 /private
WORKDIR /private
USER app
RUN pwd > /tmp/where; cat nothing 2> /tmp/said; true
