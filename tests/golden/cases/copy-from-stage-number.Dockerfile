#: rule COPY --from a number (1.6)
FROM scratch
COPY hello.txt /a
FROM scratch
COPY --from=0 /a /b
