#: rule a RUN that fails: its exit code
#: fails
FROM busybox
RUN exit 42
