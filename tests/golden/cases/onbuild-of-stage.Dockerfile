#: rule triggers of a stage run in the stage that is FROM it (1.10)
#: flags --target 1
FROM scratch AS one
ONBUILD ENV A=$B
ONBUILD LABEL l=$A
ENV B=b
FROM one
LABEL own=$A
FROM one AS unused
