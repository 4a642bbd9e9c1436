#: rule a secret is a file for its RUN only, 0400 and root's, or a variable; one that is missing and not required is nothing (1.10)
#: env TOKEN=hush
#: flags --secret id=token,env=TOKEN
FROM busybox
RUN --mount=type=secret,id=token stat -c '%a %u:%g %s' /run/secrets/token > /seen
RUN --mount=type=secret,id=token,env=HIDDEN test "$HIDDEN" = hush && test ! -e /run/secrets/token
RUN --mount=type=secret,id=token,target=/etc/token,mode=0440,uid=7,gid=8 stat -c '%a %u:%g' /etc/token >> /seen
RUN --mount=type=secret,id=none test ! -e /run/secrets/none
