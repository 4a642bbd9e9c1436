#: rule but not this stage's own (1.10)
FROM busybox
CMD ["c"]
ENTRYPOINT ["e"]
