#: rule an existing link is replaced, not written through (1.9)
FROM busybox
COPY hello.txt /opt/absolute2
RUN ln -s /etc/passwd /opt/l
COPY hello.txt /x/
COPY other /opt/
