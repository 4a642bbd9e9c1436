#: rule RUN's prefix: the count, then each argument once, in the order of declaration (2.1)
FROM busybox
ARG B=2
ARG A=1
ARG B=3
RUN echo $B$A > /ab
