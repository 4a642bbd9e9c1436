#: rule an unknown protocol is an error (1.10)
#: fails
FROM scratch
EXPOSE 80/icmp
