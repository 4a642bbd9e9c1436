#: rule a heredoc source: 0644 root, expanded unless quoted, \$ stops it (1.3)
FROM scratch
ENV A=val
COPY <<EOF /a
$A "${A}" \$A
EOF
COPY <<"EOF" <<B hello.txt /d/
$A
EOF
b
B
