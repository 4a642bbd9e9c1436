#: rule <<- takes leading tabs away (1.3)
FROM scratch
COPY <<-EOF /a
	tabbed
		twice
	EOF
