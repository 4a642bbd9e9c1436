#: rule RUN, exec form: no shell (1.10, 2.1)
FROM busybox
RUN ["/bin/touch", "/a b", "$HOME"]
