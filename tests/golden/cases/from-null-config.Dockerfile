#: rule a base whose config is null (2.2)
FROM nullconfig
ENV A=1
