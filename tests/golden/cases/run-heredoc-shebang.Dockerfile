#: rule a heredoc that begins with #! is executed itself, from a mount that leaves nothing (1.3)
FROM busybox
RUN <<EOF
#!/bin/sh -e
echo "$0 $HOME" > /seen
EOF
RUN <<'EOF' > /never
#!/bin/sh
echo not the script of this line
EOF
