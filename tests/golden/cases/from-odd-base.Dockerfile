#: rule null and unknown fields, malformed Env: read; foreign fields kept, those of Docker's builder dropped (2.2)
FROM odd
LABEL x=y
