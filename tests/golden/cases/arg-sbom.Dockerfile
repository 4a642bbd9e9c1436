#: rule the arguments that steer the builder's scanner are no environment (1.5)
FROM busybox
ARG BUILDKIT_SBOM_SCAN_STAGE=true
RUN env | grep -c SBOM > /count || true
LABEL s=x$BUILDKIT_SBOM_SCAN_STAGE
