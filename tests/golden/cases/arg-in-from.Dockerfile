#: rule globals in FROM, with a default form (1.5, 1.6)
ARG BASE=small
ARG TAG
FROM ${BASE}:${TAG:-latest}
LABEL x=y
