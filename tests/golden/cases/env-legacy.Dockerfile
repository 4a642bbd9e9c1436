#: rule ENV KEY rest of line: one pair (1.1)
FROM scratch
ENV KEY a  b "c"
ENV OTHER x=y
