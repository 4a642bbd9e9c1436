#: rule a trigger that may not be one is an error
#: fails
FROM onbuild-bad
