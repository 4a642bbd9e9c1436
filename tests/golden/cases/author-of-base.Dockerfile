#: rule the base's author is kept (2.2)
FROM full
