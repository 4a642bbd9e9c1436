#: rule quotes and escapes in values (1.4)
FROM scratch
ENV A="a b" B='c $A' C=d\ e D="\"q\"" E=f"g"h
