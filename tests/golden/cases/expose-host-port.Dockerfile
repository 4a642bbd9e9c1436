#: rule ip:host:container is accepted, the container port counts (1.10)
FROM scratch
EXPOSE 127.0.0.1:8000:80 9000:90
