#: rule RUN as USER, with its groups; name:group has only that group (1.10)
FROM busybox
USER app
RUN id > /tmp/a
USER app:other
RUN id > /tmp/b
USER 4242
RUN id > /tmp/c && echo $HOME >> /tmp/c
