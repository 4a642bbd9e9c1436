#: rule RUN has the Env, HOME and PATH, and no more (1.10)
FROM busybox
ENV A=1
RUN env | sort | grep -v -e HOSTNAME -e SHLVL -e PWD > /env
