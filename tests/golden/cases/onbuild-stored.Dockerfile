#: rule ONBUILD is stored as written, without history (1.10)
FROM scratch
ONBUILD  COPY  . /app
onbuild run echo "$X" \
  && true
ONBUILD COPY <<EOF /f
body $X
EOF
