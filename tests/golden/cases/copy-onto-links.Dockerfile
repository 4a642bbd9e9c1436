#: rule the destination's own links are followed, links met inside of it are replaced by files and no place for directories (1.9)
FROM busybox
RUN mkdir -p /real/sub && ln -s real /top && ln -s /real/sub /real/one && ln -s nowhere /dangling
COPY dir/one /top/
COPY dir/two /dangling
COPY dir /top
