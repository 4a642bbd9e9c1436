#: rule COPY --from an image (1.6)
FROM scratch
COPY --from=small /etc/base /base
