#: rule --chmod octal: files, directories and made parents (1.9)
FROM scratch
COPY --chmod=0751 other /p/q/
