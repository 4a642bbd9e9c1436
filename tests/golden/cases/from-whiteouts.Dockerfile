#: rule a base with whiteouts, an opaque directory and a directory over a file (1.12)
FROM whiteouts
COPY hello.txt /d/
COPY --from=whiteouts / /all/
