#: rule ONBUILD ONBUILD is an error (1.10)
#: fails
FROM scratch
ONBUILD ONBUILD RUN x
