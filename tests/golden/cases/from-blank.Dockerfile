#: rule a blank base name is an error (1.6)
#: fails
FROM $NOPE
