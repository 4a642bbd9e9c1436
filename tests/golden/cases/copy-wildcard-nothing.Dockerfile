#: rule a wildcard that matches nothing is no error (1.9, 1.12)
FROM scratch
COPY nothing* hello.txt /x/
