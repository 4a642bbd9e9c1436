#: rule annotations are OCI only: the image becomes OCI (2.4, BuildKit)
#: flags --annotation org.example.a=1 --annotation "org.example.b=2 3"
FROM small
LABEL x=y
