#: rule RUN starts in WORKDIR, which / is by default (1.10)
FROM busybox
RUN pwd > /root-dir
WORKDIR /opt/data
RUN pwd > /other
