#: rule a stage name begins with a letter (1.6)
#: fails
FROM scratch AS 1x
