#: rule what RUN writes below a VOLUME stays (1.10)
FROM busybox
VOLUME /vol
RUN mkdir -p /vol && echo x > /vol/file
