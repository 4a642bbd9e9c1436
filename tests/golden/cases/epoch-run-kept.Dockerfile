#: rule SOURCE_DATE_EPOCH alone leaves the times of files that RUN makes; rewrite-timestamp clamps them (2.6)
#: keep-times
FROM busybox
RUN echo made > /made
COPY hello.txt /copied
WORKDIR /work
