#: rule history shows ENV expanded, without quotes (2.1)
FROM scratch
ENV A=1
ENV B="$A and ${C:-none}"
