#: rule a later stage's name is an image's (1.6)
#: flags --target 0
FROM small
LABEL a=b
FROM scratch AS small
LABEL c=d
