#: rule a --build-arg that nothing declares is unused, silently (1.5)
#: flags --build-arg A=1
FROM scratch
LABEL a=x$A
