#: rule CMD, shell form (1.10, 2.1)
FROM scratch
CMD echo  "$HOME"
