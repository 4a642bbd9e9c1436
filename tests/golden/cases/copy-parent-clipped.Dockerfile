#: rule .. is clipped at the root of the context (1.9)
FROM scratch
COPY ../../hello.txt /x/
