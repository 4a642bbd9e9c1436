#: rule a source of --parents without wildcards must be there (1.9)
#: fails
FROM scratch
COPY --parents dir/none* /a/
COPY --parents dir/none /a/
