#: rule CMD [] empties (1.10)
FROM busybox
CMD []
