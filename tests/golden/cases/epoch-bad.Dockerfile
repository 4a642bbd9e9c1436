#: rule SOURCE_DATE_EPOCH that is no number is an error (2.6)
#: env SOURCE_DATE_EPOCH=yesterday
#: fails
FROM scratch
