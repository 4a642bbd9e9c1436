#!/usr/bin/env bash
# The harness that compares snapshot strategies: on a made tree and on a copy of a given one, every strategy that promises to
# be exact finds every change; reports are well formed; nothing is left behind. Usage: tests/e2e/bench.sh BUILD-DIRECTORY
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
WORK=$(mktemp -d /var/tmp/kiln-bench-test.XXXXXX)
trap 'rm -rf "$WORK"' EXIT
source "$here/lib.sh"
mkdir "$WORK/tmp"
export TMPDIR="$WORK/tmp"

strategies() { timeout 120 "$build/kiln" bench strategies --runs 1 "$@"; }
promises() { jq -r '[.promises_kept, ([.strategies[].name] | length), ([.measurements[].change] | unique | length)] | join(" ")' "$1"; }
misses() { jq -r "[.measurements[] | select(.strategy == \"$2\" and .missed > 0) | .change] | join(\" \")" "$1"; }
left_behind() { find "$WORK/tmp" -mindepth 1; }

strategies --entries 2000 --html "$WORK/report.html" --json - > "$WORK/made.json"
available=$(jq '(.strategies + .skipped) | length' "$WORK/made.json")
check "every strategy is measured or left out for a reason" test "$available" -ge 5
check "exact strategies find every change" same "$(promises "$WORK/made.json" | cut -d' ' -f1,3)" "true 10"
check "what a forged mtime hides from redo" same "$(misses "$WORK/made.json" redo)" "forged-mtime"
check "the page asks nobody for anything" bash -c "! grep -Eq '://|<script|<link|src=' '$WORK/report.html' && grep -q '<svg' '$WORK/report.html'"
check "nothing is left behind" same "$(left_behind)" ""

# A given tree: with names and links as people have them; it stays as it was.
mkdir -p "$WORK/tree/a b" "$WORK/tree/many"
for number in $(seq 300); do echo "file $number" > "$WORK/tree/many/$number"; done
mkdir "$WORK/tree/few"
for number in 1 2 3; do echo "file $number" | tee "$WORK/tree/few/$number" > "$WORK/tree/a b/$number"; done
ln "$WORK/tree/many/1" "$WORK/tree/many/hard link"
ln -s ../many "$WORK/tree/a b/link"
listing() { (cd "$WORK/tree" && find . -printf '%p %i %m %s %T@ %C@ %l\n' | sort && find . -type f -exec sha256sum {} +); }
before=$(listing)
strategies --tree "$WORK/tree" --json "$WORK/given.json" > "$WORK/given.txt"
check "a copy of a given tree" same "$(promises "$WORK/given.json" | cut -d' ' -f1,3)" "true 10"
check "the given tree is not touched" same "$(listing)" "$before"
check "a table for people" grep -q '^inode-ctime  *yes' "$WORK/given.txt"

timeout -s INT 1 "$build/kiln" bench strategies --entries 20k > "$WORK/interrupted" 2>&1 || true
check "an interrupted run leaves nothing behind" same "$(left_behind)" ""
check "an unknown strategy is named" bash -c "! '$build/kiln' bench strategies --strategies hash 2> '$WORK/error' && grep -q 'hash' '$WORK/error'"

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
