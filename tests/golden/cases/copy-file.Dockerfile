#: rule a file to a name, to a directory, to a relative destination (1.9)
FROM scratch
WORKDIR /w
COPY hello.txt /name
COPY hello.txt /dir/
COPY hello.txt rel
COPY hello.txt ./
