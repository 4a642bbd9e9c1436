#: rule --image-format=docker on an OCI base (2.3)
#: flags --image-format=docker
FROM oci
WORKDIR /w
