#: rule RUN finds a container's devices in /dev (1.8)
FROM busybox
RUN for device in null zero full random urandom tty; do [ -c /dev/$device ] || exit 1; done && head -c 3 /dev/zero > /zeros
