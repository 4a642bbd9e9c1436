#: rule STOPSIGNAL: names and numbers, kept as written (1.10)
FROM scratch
STOPSIGNAL 9
STOPSIGNAL sigterm
ENV S=QUIT
STOPSIGNAL SIG$S
