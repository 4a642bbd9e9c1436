#: rule a declared proxy argument is an ordinary argument (1.5)
#: flags --build-arg HTTP_PROXY=http://declared:1
FROM busybox
ARG HTTP_PROXY
RUN echo $HTTP_PROXY > /proxy
