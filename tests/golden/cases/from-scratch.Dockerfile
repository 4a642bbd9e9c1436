#: rule FROM scratch: WorkingDir / and PATH, nothing else; Docker types under the executor (1.6, 2.2, 2.3)
FROM scratch
