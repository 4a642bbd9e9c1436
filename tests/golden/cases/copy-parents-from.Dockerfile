#: rule --parents from a stage: owners and modes of the directories are the source's, links are no directories (1.9)
FROM busybox AS source
RUN mkdir -m 2770 -p /srv/a/b && echo one > /srv/a/b/one && chown -R 7:8 /srv/a && ln -s a /srv/link && ln /srv/a/b/one /srv/a/b/two
FROM scratch
COPY --from=source --parents /srv/./a/b/one /srv/link/b/one /x/
COPY --from=source --parents --chown=5:6 --chmod=750 /srv/a/b/t* /y/
COPY --from=source --parents /srv/link/./b /z/
