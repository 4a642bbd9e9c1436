#: rule --reproducible with RUN (2.6)
#: flags --reproducible
#: env SOURCE_DATE_EPOCH=
#: twice
FROM busybox
RUN mkdir /d && for i in 3 1 2; do echo $i > /d/$i; done && ln /d/1 /d/hard && ln -s 1 /d/soft && chmod 700 /opt/data
RUN rm /d/2 && date > /dev/null
