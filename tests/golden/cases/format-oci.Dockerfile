#: rule --image-format=oci: all types and bytes of own layers (2.3)
#: flags --image-format=oci
FROM small
WORKDIR /w
