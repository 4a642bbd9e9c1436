#: rule types follow the base: OCI; annotations of the base are not carried on (2.3, 2.4)
FROM oci
LABEL x=y
WORKDIR /w
