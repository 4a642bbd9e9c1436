#: rule text that begins like JSON and is none is a command of the shell (1.1); its failure says so
#: fails
FROM busybox
RUN ['echo', 'x']
