#: rule WORKDIR under a USER that the image does not have: root's; under a number: its group is that number (readUser in file/user_linux.go)
FROM scratch
USER nobody
WORKDIR /w
USER 5
WORKDIR /five
USER nobody:7
WORKDIR /seven
