#: rule a cache and a tmpfs are in no layer, nor are the directories made for them (1.10)
FROM busybox
RUN --mount=type=cache,id=golden-run-mount-cache,target=/var/cache/a,mode=0711,uid=5,gid=6 touch /var/cache/a/x && stat -c '%a %u:%g' /var/cache/a > /seen
RUN --mount=type=tmpfs,target=/t touch /t/x /beside
