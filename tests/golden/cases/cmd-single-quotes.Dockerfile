#: rule single quotes are no JSON: silently shell form (1.12)
FROM scratch
CMD ['a', 'b']
