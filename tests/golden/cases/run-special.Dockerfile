#: rule devices, fifos, links and modes made by RUN
FROM busybox
RUN mkfifo -m 640 /p && ln -s x /l && touch /f && chmod 7777 /f && ln /f /g && chown 5:6 /f && mkdir -m 1777 /d
