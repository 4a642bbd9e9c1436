#: rule proxy arguments need no declaration, reach RUN under both spellings, and are in no history (1.5)
#: flags --build-arg HTTP_PROXY=http://secret:1 --build-arg no_proxy=x
FROM busybox
RUN env | grep -i proxy | sort > /proxies
