#: rule .dockerignore: a directory, an exception below it, the last match wins (1.7)
#: ignore **
#: ignore !dir/sub
#: ignore !a*.txt
#: ignore a2.txt
#: ignore dir/sub/deep
FROM scratch
COPY . /x/
