#: rule FROM a stage: its layers, config and history (1.6, 2.1)
FROM scratch AS one
ENV A=1
WORKDIR /one
FROM one AS two
WORKDIR two
FROM two
LABEL a=$A
