#: rule SHELL is saved and used by later shell forms (1.10, 2.1)
FROM scratch
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
CMD a b
ENTRYPOINT x "y"
