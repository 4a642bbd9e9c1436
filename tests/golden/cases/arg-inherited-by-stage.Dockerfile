#: rule stages that are FROM a stage see its arguments (1.5)
FROM busybox AS one
ARG A=1
RUN true
FROM one
RUN echo "$A" > /a
LABEL a=$A
