#: rule the last CMD wins; history has both (1.10)
FROM scratch
CMD ["a"]
CMD ["b"]
