#: rule a CMD of the stage this one is FROM counts as the base's (1.10)
FROM scratch AS one
CMD ["c"]
FROM one
ENTRYPOINT ["e"]
