#!/usr/bin/env bash
# Golden images: one small Dockerfile a rule, config and layers compared with tests/golden/cases/*.expected.
# Usage: tests/e2e/golden.sh BUILD-DIRECTORY [--update] [NAME-EXPRESSION...]
set -euo pipefail
exec timeout 600 python3 -B "$(dirname "$0")/../golden/golden.py" "$@"
