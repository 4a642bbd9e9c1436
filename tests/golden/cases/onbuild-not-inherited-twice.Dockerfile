#: rule triggers do not reach grandchildren (1.10)
FROM scratch AS one
ONBUILD LABEL l=1
FROM one AS two
FROM two
LABEL own=1
