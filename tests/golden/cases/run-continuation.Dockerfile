#: rule continuation lines and comments within RUN (1.1)
FROM busybox
RUN echo a > /a \
  # a comment
  && echo b > /b
