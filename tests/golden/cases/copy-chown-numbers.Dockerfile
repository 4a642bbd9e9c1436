#: rule --chown: numbers; a lone number is the group too; made parents as well (1.9)
FROM scratch
COPY --chown=5:6 hello.txt /a/b/
COPY --chown=7 hello.txt /c
