#: rule SHELL needs JSON (1.1)
#: fails
FROM scratch
SHELL /bin/sh -c
