#: rule several heredocs, and tabs: the shell reads the markers (1.3)
FROM busybox
ARG NAME=arg
RUN cat <<A > /a && cat <<-"B" > /b
$NAME \$NAME
A
	$NAME
	B
