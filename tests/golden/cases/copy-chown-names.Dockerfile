#: rule --chown: names of the image (1.9)
FROM busybox
COPY --chown=app hello.txt /a
COPY --chown=app:extra hello.txt /b
COPY --chown=9:other hello.txt /c
