#: rule the path is cleaned; history shows it (2.1)
FROM scratch
WORKDIR //a/./b/../c/
