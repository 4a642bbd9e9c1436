#: rule EXPOSE: default tcp, ranges, expansion into several words, sorted history (1.10, 2.1)
FROM scratch
ENV P="90/udp 80"
EXPOSE $P
EXPOSE 1000-1002/UDP 81/sctp
