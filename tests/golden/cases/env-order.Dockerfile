#: rule Env keeps its order, a second ENV replaces in place, PATH comes first (1.10, 2.2)
FROM scratch
ENV B=1 A=2
ENV C=3
ENV B=4
