#!/usr/bin/env bash
# The golden cases built by kiln and by buildah: same files, same config, or a difference with its reason in
# tests/golden/differences.txt. Usage: tests/e2e/compare.sh BUILD-DIRECTORY [--short] [NAME-EXPRESSION...]
set -euo pipefail
exec timeout 900 python3 -B "$(dirname "$0")/../golden/compare.py" "$@"
