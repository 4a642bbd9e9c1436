#: rule FROM and nothing else: the base's layers and history, its own created (2.1)
FROM busybox
