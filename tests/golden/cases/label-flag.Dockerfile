#: rule --label is merged last and has no history (1.10)
#: flags --label same=flag --label more=2
FROM full
LABEL own=1 same=file
