#: rule --build-arg wins over an automatic argument, in FROM too (BuildKit's defaultArgs)
#: flags --build-arg TARGETOS=small
FROM ${TARGETOS}
ARG TARGETOS
LABEL o=$TARGETOS
