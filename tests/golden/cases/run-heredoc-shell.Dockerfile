#: rule other heredocs are the shell's (1.3)
FROM busybox
RUN cat <<EOF > /a && cat <<'E2' > /b
home $HOME
EOF
raw $HOME
E2
