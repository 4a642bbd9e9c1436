#: rule VOLUME: words or JSON, config only (1.10)
FROM scratch
VOLUME /b /a
VOLUME ["/c d", "/e"]
ENV V=/v
VOLUME $V
