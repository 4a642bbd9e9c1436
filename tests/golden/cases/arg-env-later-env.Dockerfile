#: rule ENV after ARG wins; the prefix of RUN shows the value in force (1.5, 2.1)
FROM busybox
ARG A=arg
ENV A=env
RUN echo "$A" > /a
