#: rule a port out of range is an error (1.10)
#: fails
FROM scratch
EXPOSE 65536
