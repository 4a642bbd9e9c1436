#: rule names match without case (1.6)
FROM scratch AS Base
LABEL a=1
FROM BASE
LABEL b=2
