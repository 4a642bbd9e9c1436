#: rule LABEL: order of history, sorted map, expansion (1.10, 2.1)
FROM scratch
ENV V=1
LABEL b="x y" a=$V
LABEL a=2 "quoted key"=3
