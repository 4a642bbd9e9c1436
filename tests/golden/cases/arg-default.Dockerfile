#: rule ARG with a default is in RUN's environment, in history, and not in the image's Env (1.5)
FROM busybox
ARG A=1
RUN echo "$A" > /a
