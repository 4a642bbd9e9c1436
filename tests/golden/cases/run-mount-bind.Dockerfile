#: rule a bind is read-only, writes to one with rw are lost, and mount points leave nothing (1.10)
FROM scratch AS files
COPY dir /files
FROM busybox
WORKDIR /work
RUN --mount=target=. cat hello.txt > /seen
RUN --mount=from=files,source=/files,target=/opt/data,rw echo changed > /opt/data/two && cat /opt/data/two >> /seen
RUN --mount=from=files,source=/files/two,target=/new/deep/file cat /new/deep/file >> /seen && ! echo x > /new/deep/file
