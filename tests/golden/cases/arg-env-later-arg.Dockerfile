#: rule ARG with a value after ENV shadows it for the build; the image keeps the ENV (1.5)
FROM busybox
ENV A=env
ARG A=arg
RUN echo "$A" > /a
LABEL a=$A
