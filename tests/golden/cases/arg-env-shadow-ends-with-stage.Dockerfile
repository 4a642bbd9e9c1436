#: rule in a stage FROM a stage the image's Env is set again over an ARG that shadowed it (BuildKit's dispatch)
FROM scratch AS one
ENV A=env
ARG A=arg
FROM one
LABEL a=$A
