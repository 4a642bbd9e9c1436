#: rule --reproducible through stages (2.6)
#: flags --reproducible
#: env SOURCE_DATE_EPOCH=
#: twice
FROM busybox AS one
RUN mkdir /out && echo x > /out/x && ln /out/x /out/y
FROM scratch
COPY --from=one /out /out/
