#: rule what --parents copies is a pattern, and that of "." matches nothing (BuildKit's code)
FROM scratch
COPY --parents . /a
COPY --parents dir/./ /b/
