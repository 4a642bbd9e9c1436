#: rule --exclude filters inside directories (1.9)
FROM scratch
COPY --exclude=**/*.md --exclude=two dir /x/
