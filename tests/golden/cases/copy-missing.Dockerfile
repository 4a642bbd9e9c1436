#: rule a plain path that is missing is an error (1.9)
#: fails
FROM scratch
COPY nothing /x/
