#: rule an earlier stage's name wins over an image (1.6)
FROM scratch AS busybox
LABEL stage=yes
FROM busybox
