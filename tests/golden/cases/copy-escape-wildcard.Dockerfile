#: rule [[] stands for a bracket (1.9)
FROM scratch
COPY [[]x].txt /x/
