#: rule a platform that the index does not have is an error that lists what there is
#: fails
FROM --platform=linux/s390x multi
