#: rule triggers of the base image run right after FROM, and are cleared (1.10)
#: flags --build-arg TRIGGER_ARG=two
ARG BASE_ARG=global
FROM onbuild
LABEL after=$TRIGGER_ARG
