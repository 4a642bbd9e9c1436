#: rule files that RUN makes later are clamped (2.6, rewrite-timestamp)
#: twice
FROM busybox
RUN echo a > /a && touch -d "2001-02-03 04:05:06" /b && mkdir /c
