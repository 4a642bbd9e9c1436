#: rule an ignored source is missing (1.7)
#: ignore hello.txt
#: fails
FROM scratch
COPY hello.txt /x
