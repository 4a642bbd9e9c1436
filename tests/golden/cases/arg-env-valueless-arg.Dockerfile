#: rule a valueless ARG after ENV changes nothing (1.5)
FROM busybox
ENV A=env
ARG A
LABEL a=$A
