#!/usr/bin/env bash
# The language against a registry: how errors and build checks are told, and named contexts. Usage: tests/e2e/language.sh BUILD-DIRECTORY
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
WORK=$(mktemp -d /var/tmp/kiln-language.XXXXXX)
trap 'kill "$registry_pid" 2> /dev/null || true; rm -rf "$WORK"' EXIT
source "$here/lib.sh"
export KILN_FOREGROUND_CLEANUP=1 DOCKER_CONFIG="$WORK/nobody"
start_registry "$WORK"
cd "$WORK"
mkdir context
echo hello > context/hello
# kiln [FLAGS]: builds standard input, what it tells goes to the file log.
kiln() { timeout 60 "$build/kiln" build --log-format text -f - "$@" context > /dev/null 2> log; }
push() { kiln --insecure --push -t "$REGISTRY/$1" "${@:2}"; }
# fails TEXT: the last build failed, and this is all that its error says.
fails() { same "$(sed -n '/^FATA/,$p' log | sed 's/^FATA\[[0-9]*\] //')" "$1"; }

# -- errors have their place -------------------------------------------------------------------------------------------
kiln <<< $'FROM scratch\n\n# twice\nCOPY hello \\\n  missing /x/\nLABEL a=b' || true
check "a step that fails shows its lines" fails 'Dockerfile:4: COPY hello   missing /x/: "/missing": not found
   2 |     
   3 |     # twice
   4 | >>> COPY hello \
   5 | >>>   missing /x/
   6 |     LABEL a=b'
kiln <<< $'FROM scratch AS a\nCOPY --from=b / /\nFROM a AS b' || true
check "... and so does a plan" fails 'Dockerfile:2: cannot copy from stage "b", it needs to be defined before current stage "a"
   1 |     FROM scratch AS a
   2 | >>> COPY --from=b / /
   3 |     FROM a AS b'
kiln --insecure <<< "FROM $REGISTRY/none" || true
check "... and a base that is not there" grep -qx '   1 | >>> FROM .*/none' log
kiln --insecure <<< $'FROM scratch\nCOPY --from='"$REGISTRY"$'/none / /' || true
check "... and a source that is not" grep -qx '   2 | >>> COPY --from=.*/none / /' log

# -- build checks that know the base -----------------------------------------------------------------------------------
push arm --platform linux/arm64 <<< $'FROM scratch\nENV HOMEDIR=/home\nCOPY hello /'
kiln --insecure --platform linux/amd64 <<< "FROM $REGISTRY/arm"$'\nCOPY hello $HOMEDIR/$NOWHERE'
check "a base of another platform" grep -q "InvalidBaseImagePlatform: Base image $REGISTRY/arm was pulled with platform \"linux/arm64\", expected \"linux/amd64\" for current build (line 1)" log
check "a variable that nobody sets" same "$(grep -o 'UndefinedVar.*' log)" "UndefinedVar: Usage of undefined variable '\$NOWHERE' (line 2)"
kiln --insecure --platform linux/arm64 <<< "# check=error=true"$'\n'"FROM $REGISTRY/arm"$'\nCOPY hello $HOMEDIR/$NOWHERE' || true
check "error=true" fails "lint violation found for rules: UndefinedVar"

echo "language: $passed passed, $failed failed"
[ "$failed" = 0 ]
