#: rule --reproducible with SOURCE_DATE_EPOCH: every time is that one (2.6)
#: flags --reproducible
#: twice
FROM scratch
COPY hello.txt dir /x/
