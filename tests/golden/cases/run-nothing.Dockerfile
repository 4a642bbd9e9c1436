#: rule a RUN that changes nothing has a layer, empty (1.10)
FROM busybox
RUN true
