#: rule an expansion of --platform to nothing is an error (1.6)
#: fails
FROM --platform=$NOPE small
