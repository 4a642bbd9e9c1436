#: rule --target may be a number (1.6)
#: flags --target 0
FROM scratch
LABEL a=0
FROM scratch
LABEL a=1
