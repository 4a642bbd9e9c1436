#: rule history: --from, --link and --exclude omitted; --chown and --chmod shown, expanded (2.1)
FROM scratch AS one
COPY hello.txt /h
FROM scratch
ENV U=3 M=600
COPY --from=one --link --exclude=x --chown=$U:4 --chmod=$M /h /x
