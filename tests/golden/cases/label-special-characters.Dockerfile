#: rule JSON as Go writes it: <, >, & and U+2028 escaped, other text as it is (2.2)
FROM scratch
LABEL a="<b>&c" u="ü€ " t="a	b"
