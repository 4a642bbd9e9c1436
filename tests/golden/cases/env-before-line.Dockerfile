#: rule all variables of one line have the values from before it (1.4)
FROM scratch
ENV a=1
ENV a=2 b=$a
