#: rule signal 0 is an error (1.10)
#: fails
FROM scratch
STOPSIGNAL 0
