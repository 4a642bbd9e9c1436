#: rule names of ENV are expanded too (BuildKit expands both sides)
FROM scratch
ENV N=NAME
ENV $N=value
