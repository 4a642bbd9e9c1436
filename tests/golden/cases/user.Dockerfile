#: rule USER: any text, expanded (1.10)
FROM scratch
ENV U=7
USER $U:nobody
