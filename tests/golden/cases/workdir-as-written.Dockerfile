#: rule an absolute path is in config and history as it was written, a relative one cleaned; what is made is the same (1.10)
FROM scratch
WORKDIR //a/./b/../c/
COPY hello.txt .
WORKDIR d/../e/
WORKDIR /f/
