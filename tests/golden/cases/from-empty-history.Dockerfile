#: rule the same with an empty list (2.1)
FROM emptyhistory
LABEL a=b
