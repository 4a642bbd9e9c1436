#: rule # syntax of docker/dockerfile is built in; escape directive (1.2)
# syntax=docker/dockerfile:1-labs
# escape=`
FROM scratch
ENV A=a` b B=c\d
LABEL x=1 `
  y=2
