#: rule CMD, exec form: quoted words in history (2.1)
FROM scratch
CMD ["a", "b \"c\"", "d\n"]
