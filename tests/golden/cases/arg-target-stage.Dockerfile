#: rule TARGETSTAGE is the target's name (1.5)
#: flags --target one
FROM scratch AS one
ARG TARGETSTAGE
LABEL s=$TARGETSTAGE
FROM scratch
