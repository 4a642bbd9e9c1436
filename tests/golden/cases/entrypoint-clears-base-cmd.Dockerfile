#: rule ENTRYPOINT clears a Cmd of the base (1.10)
FROM busybox
ENTRYPOINT ["e"]
