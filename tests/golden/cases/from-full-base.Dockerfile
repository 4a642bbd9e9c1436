#: rule everything of the base's config is carried on (2.2)
FROM full
LABEL x=y
