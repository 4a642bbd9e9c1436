#: rule HEALTHCHECK, shell form: only given values are stored (1.10, 2.1)
FROM scratch
HEALTHCHECK --interval=1m30s --timeout=10s --start-period=500ms --start-interval=2s --retries=3 CMD curl -f "http://localhost/" || exit 1
