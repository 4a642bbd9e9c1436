#: rule --chmod beyond 07777 is an error (1.9)
#: fails
FROM scratch
COPY --chmod=10000 hello.txt /x
