#: rule a lone heredoc is the shell's script (1.3)
FROM busybox
RUN <<EOF
echo one > /one
echo "$PATH" > /path
EOF
