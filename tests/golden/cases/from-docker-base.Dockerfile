#: rule types follow the base: Docker (2.3)
FROM small
LABEL x=y
