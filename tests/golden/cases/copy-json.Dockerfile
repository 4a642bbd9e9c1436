#: rule JSON form for names with spaces (1.1)
FROM scratch
COPY ["with space.txt", "/a b/"]
