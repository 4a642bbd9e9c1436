#: rule relative to the base's WorkingDir (1.10)
FROM full
WORKDIR sub
