#: rule FROM --platform picks from an index; the image is of the target platform (1.6)
#: flags --custom-platform linux/arm64
FROM --platform=linux/arm64 multi
LABEL x=y
