#!/usr/bin/env bash
# kiln bench. The harness that compares snapshot strategies: on made trees and on a copy of a given one, every strategy that
# promises to be exact finds every change. Phases: what they unpack and write is counted. Reports are well formed; nothing is left
# behind. Usage: tests/e2e/bench.sh BUILD-DIRECTORY
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
WORK=$(mktemp -d /var/tmp/kiln-bench-test.XXXXXX)
trap 'rm -rf "$WORK"' EXIT
source "$here/lib.sh"
mkdir "$WORK/tmp"
export TMPDIR="$WORK/tmp"

strategies() { timeout 300 "$build/kiln" bench strategies --runs 1 "$@"; }
promises() { jq -r '[.promises_kept, ([.strategies[].name] | length), ([.trees[].measurements[].change] | unique | length)] | join(" ")' "$1"; }
misses() { jq -r "[.trees[].measurements[] | select(.strategy == \"$2\" and .missed > 0) | .change] | join(\" \")" "$1"; }
left_behind() { find "$WORK/tmp" -mindepth 1; }

strategies --entries 2000 --html "$WORK/report.html" --json - > "$WORK/made.json"
available=$(jq '(.strategies + .skipped) | length' "$WORK/made.json")
check "every strategy is measured or left out for a reason" test "$available" -ge 5
check "exact strategies find every change" same "$(promises "$WORK/made.json" | cut -d' ' -f1,3)" "true 10"
check "what a forged mtime hides from redo" same "$(misses "$WORK/made.json" redo)" "forged-mtime"
check "bytes that nobody counts are not told as none" same "$(jq -c '[.trees[].measurements[].runs[] | .before, .after | .bytes_read | select(. == null)] | length' "$WORK/made.json")" \
  "$(jq '[.strategies[] | select(.name == "full-io_uring")] | length * 20' "$WORK/made.json")"
check "what was looked at in vain is told" same "$(jq '[.trees[].measurements[] | select(.false_candidates == null)] | length' "$WORK/made.json")" 0
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
check "and whether changes were found" grep -Eq '^redo  *no .* missed' "$WORK/given.txt"
mkdir "$WORK/tree/inside"
strategies --tree "$WORK/tree" --work-dir "$WORK/tree/inside" --changes none --json "$WORK/inside.json" > /dev/null
check "a work directory inside the tree is not copied" same "$(jq '.trees[0].entries' "$WORK/inside.json")" "$(($(jq '.trees[0].entries' "$WORK/given.json") + 1))"
rmdir "$WORK/tree/inside"
strategies --entries 1000,3000 --changes none --html "$WORK/sizes.html" --json - > "$WORK/sizes.json"
check "several sizes" same "$(jq '.trees | length' "$WORK/sizes.json")" 2
check "are one chart" grep -q 'by size of the tree' "$WORK/sizes.html"

# Phases.
phase() { timeout 300 "$build/kiln" bench "$@" --runs 1 --html "$WORK/phase.html"; }
phase unpack --tree "$WORK/tree" --json "$WORK/unpack.json" > "$WORK/unpack.txt"
check "unpacking beside a plain loop" same "$(jq '[.rows[] | select(.ratio > 0)] | length' "$WORK/unpack.json")" 2
check "the loop makes files of every layer" bash -c "[ \$(jq -r .work '$WORK/unpack.json' | sed -n 's/.* \([0-9]*\) entries.*/\1/p') -ge $(find "$WORK/tree" -mindepth 1 | wc -l) ]"
tar -C "$WORK/tree" -cf "$WORK/tree.tar" .
layout_from_tar "$WORK/tree.tar" "$WORK/layout"
phase unpack --image "$WORK/layout:latest" > "$WORK/unpack.txt"
check "unpacking an image" grep -Eq '^kiln .*[0-9]$' "$WORK/unpack.txt"
phase export --tree "$WORK/tree" --size 50k --json - > "$WORK/export.json"
check "writing a layer beside what its bytes cost" same "$(jq '[.rows[] | select(.ratio != null) | .name] | join(" ")' "$WORK/export.json")" '"floor kiln"'
check "the phases' page" bash -c "! grep -Eq '://|<script|<link|src=' '$WORK/phase.html' && grep -q '<svg' '$WORK/phase.html'"
check "the given tree is still not touched" same "$(listing | sed 's/^\. .*//')" "$(sed 's/^\. .*//' <<< "$before")"
check "nothing is left behind by phases" same "$(left_behind)" ""

timeout -s INT 1 "$build/kiln" bench strategies --entries 20k > "$WORK/interrupted" 2>&1 || true
check "an interrupted run leaves nothing behind" same "$(left_behind)" ""
check "an unknown strategy is named" bash -c "! '$build/kiln' bench strategies --strategies hash 2> '$WORK/error' && grep -q 'hash' '$WORK/error'"

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
