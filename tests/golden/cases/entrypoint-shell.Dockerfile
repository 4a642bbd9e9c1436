#: rule ENTRYPOINT, shell form (1.10)
FROM scratch
ENTRYPOINT exec top -b
CMD ["x"]
