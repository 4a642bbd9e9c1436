#: rule --single-snapshot: one layer, the other entries are without (Kaniko)
#: flags --single-snapshot
FROM busybox
RUN echo 1 > /1
RUN rm /1 && echo 2 > /2
LABEL a=b
