#: rule Env of the base keeps its place (2.2)
FROM full
ENV A=own NEW=1
