#: rule an unknown signal is an error (1.10)
#: fails
FROM scratch
STOPSIGNAL SIGNOPE
