#: rule annotations with --image-format=docker are refused (2.4)
#: flags --image-format=docker --annotation a=1
#: fails
FROM small
