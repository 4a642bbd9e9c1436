#: rule a later stage of the same name hides the earlier one (1.6)
FROM scratch AS x
LABEL a=1
FROM x AS x
LABEL b=2
FROM x
LABEL c=3
