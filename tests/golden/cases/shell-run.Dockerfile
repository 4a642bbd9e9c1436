#: rule RUN uses SHELL; history shows it (2.1)
FROM busybox
SHELL ["/bin/sh", "-xc"]
RUN echo a > /a
