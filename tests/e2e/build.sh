#!/usr/bin/env bash
# End-to-end: real builds against a real registry, checked by skopeo, umoci and tar; in userns on this machine and in place
# inside runc. Usage: tests/e2e/build.sh BUILD-DIRECTORY
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
WORK=$(mktemp -d /var/tmp/kiln-e2e.XXXXXX)
registry_pid= other_pid=
trap 'for pid in $registry_pid $other_pid; do kill "$pid" 2> /dev/null; done; rm -rf "$WORK"' EXIT
source "$here/lib.sh"
export KILN_FOREGROUND_CLEANUP=1
start_busybox_registry

executor() { timeout 120 "$build/executor" --registry-map "docker.io=$REGISTRY" --log-format text "$@"; }
digest_of() { skopeo inspect --tls-verify=false --format '{{.Digest}}' "docker://$REGISTRY/$1"; }
config_of() { skopeo inspect --tls-verify=false --config --raw "docker://$REGISTRY/$1"; }
requests() { grep -c "$1" "$WORK/access.log" || true; }
unpack() {
  rm -rf "$WORK/pulled" "$WORK/bundle"
  skopeo copy --quiet --src-tls-verify=false "docker://$REGISTRY/$1" "oci:$WORK/pulled:x"
  umoci unpack --image "$WORK/pulled:x" "$WORK/bundle" > /dev/null 2>&1
}

# A context with what COPY has rules for.
mkdir -p "$WORK/context/dir/deep" "$WORK/context/node_modules/x"
cd "$WORK/context"
echo hello > hello.txt && echo a > dir/a && echo b > dir/deep/b && ln -s a dir/link && ln dir/a dir/hard
echo secret > node_modules/x/y && chmod 4755 dir/deep/b
touch -d '2023-05-06 07:08:09 UTC' hello.txt dir/a dir/deep/b dir/deep dir
printf 'node_modules\n*.md\n!keep.md\n' > .dockerignore && echo x > drop.md && echo y > keep.md
tar -cJf archive.tar.xz dir
cat > Dockerfile <<'DOCKERFILE'
ARG BASE=busybox
FROM ${BASE} AS build
ARG VERSION=1
ENV A=b C="d e"
RUN echo "built $VERSION $A $C" > /out.txt && mkdir -p /made/by/run && echo x > /made/by/run/file
RUN rm -r /made/by && ln /out.txt /out-hard && chmod 600 /bin/busybox && chmod 755 /bin/busybox && chmod 700 /usr/bin/capable && rm /opt/device

FROM nowhere/unused:1 AS unused
RUN exit 1

FROM build AS middle
RUN echo more >> /out.txt

FROM busybox
WORKDIR /srv/app
COPY --from=middle /out.txt /made /srv/
COPY --from=build --chown=app:extra /opt /copied
COPY . /context/
COPY dir/a* hello.txt ./
COPY hello.txt /link/through
ADD archive.tar.xz /unpacked
RUN cat /srv/out.txt && rm /bin/env && rm /bin/pwd && ln -s /bin/busybox /bin/pwd && mv /opt/data/two /opt/data/three && touch /new && id > /id
RUN echo kept > /keep && ln /keep /keep2
RUN rm /keep2 && chmod 600 /new && chmod 644 /new && echo x >> /id
USER app
RUN id > /tmp/id && pwd > /tmp/pwd && echo "$HOME" > /tmp/home && chown app /tmp/id
USER root
WORKDIR /gone/deep
RUN rm -r /gone
USER app
RUN pwd > made-again
WORKDIR /srv/app
ENTRYPOINT ["/bin/cat"]
CMD ["/srv/out.txt"]
EXPOSE 80 9000-9001/udp
LABEL x=y
HEALTHCHECK --interval=5s CMD true
DOCKERFILE

check "a multi-stage build" executor -c "$WORK/context" -d "$REGISTRY/t/one:v1" --digest-file "$WORK/digest" --label z=w
check "the digest file names what was pushed" same "$(cat "$WORK/digest" 2> /dev/null)" "$(digest_of t/one:v1)"
check "umoci unpacks it" unpack t/one:v1
root="$WORK/bundle/rootfs"
check "RUN's output and ENV" same "$(cat "$root/srv/out.txt")" "$(printf 'built 1 b d e\nmore')"
check "removed in RUN" test ! -e "$root/bin/env"
check "a link replaced by another in RUN" same "$(readlink "$root/bin/pwd")" /bin/busybox
check "one of two names removed in RUN" test -e "$root/keep" -a ! -e "$root/keep2"
check "moved in RUN" same "$(cat "$root/opt/data/three")" data
check "a directory emptied by RUN has no content" test ! -e "$root/srv/by"
check "ignored files stay out" test ! -e "$root/context/node_modules" -a ! -e "$root/context/drop.md" -a -e "$root/context/keep.md"
check "times and modes of copied files" same "$(stat -c '%a %u:%g %Y' "$root/context/dir/deep/b")" "4755 0:0 1683356889"
check "hard links of the context" same "$(stat -c %i "$root/context/dir/a")" "$(stat -c %i "$root/context/dir/hard")"
check "symlinks of the context" same "$(readlink "$root/context/dir/link")" a
check "a wildcard" same "$(cat "$root/srv/app/a")" a
check "a destination behind a symlink" same "$(cat "$root/opt/data/through")" hello
check "an xz archive" same "$(cat "$root/unpacked/dir/deep/b")" b
check "--chown by name" same "$(stat -c '%u:%g' "$root/copied/data/one")" 1000:2000
check "a stage's changes are seen" test ! -e "$root/copied/device"
check "capabilities survive a chmod in RUN" same "$(getcap "$root/usr/bin/capable" | sed 's/.* //')" cap_net_raw=ep
check "devices of the base" test -c "$root/opt/device"
check "USER and its groups" same "$(cat "$root/tmp/id")" "uid=1000(app) gid=1000(app) groups=1000(app),2000(extra)"
check "HOME and directory" same "$(cat "$root/tmp/home" "$root/tmp/pwd")" "$(printf '/home/app\n/srv/app')"
check "a directory that RUN starts in is made again, the user's" same "$(cat "$root/gone/deep/made-again"; stat -c '%a %u:%g' "$root/gone" "$root/gone/deep")" \
  "$(printf '/gone/deep\n755 1000:1000\n755 1000:1000')"
check "config" same "$(config_of t/one:v1 | jq -c '[.config.Entrypoint, .config.Cmd, .config.User, .config.WorkingDir, .config.Labels, (.config.ExposedPorts | keys), .config.Healthcheck]')" \
  '[["/bin/cat"],["/srv/out.txt"],"app","/srv/app",{"x":"y","z":"w"},["80/tcp","9000/udp","9001/udp"],{"Test":["CMD-SHELL","true"],"Interval":5000000000}]'
check "as many layers as history entries with one" same "$(config_of t/one:v1 | jq '[.history[] | select(.empty_layer | not)] | length')" \
  "$(config_of t/one:v1 | jq '.rootfs.diff_ids | length')"

# The same bytes whatever the sandbox and the detector.
reproducible() { executor -c "$WORK/context" -d "$REGISTRY/t/same:$1" --reproducible "${@:2}"; }
check "reproducible, overlay" reproducible overlay
expected=$(digest_of t/same:overlay)
check "reproducible, no overlay" reproducible plain --no-overlay
check "digest without overlay" same "$(digest_of t/same:plain)" "$expected"
for mode in full redo time watch; do
  check "reproducible, $mode" reproducible "$mode" --snapshot-mode "$mode"
  check "digest with $mode" same "$(digest_of "t/same:$mode")" "$expected"
done
if [ -x "$build/image/kaniko/executor" ]; then
  mkdir -p "$build/image/etc"
  for profile in runtime-default crio; do
    check "in place in a pod ($profile)" "$here/pod/run_in_pod" --profile "$profile" --rootfs "$build/image" --bind "$WORK/context:/workspace" \
      --cwd /workspace -- /kaniko/executor -d "$REGISTRY/t/same:$profile" --registry-map "docker.io=$REGISTRY" --reproducible --log-format text
    check "digest in place ($profile)" same "$(digest_of "t/same:$profile")" "$expected"
  done
  check "in place, watching" "$here/pod/run_in_pod" --profile crio --rootfs "$build/image" --bind "$WORK/context:/workspace" \
    --cwd /workspace -- /kaniko/executor -d "$REGISTRY/t/same:watching" --registry-map "docker.io=$REGISTRY" --reproducible \
    --log-format text --snapshot-mode watch
  check "digest in place, watching" same "$(digest_of t/same:watching)" "$expected"
fi

# Stages on one base, and on stages whose last files no RUN has seen: with overlay the base is unpacked once for all of them.
cat > "$WORK/stacked" <<'DOCKERFILE'
FROM busybox AS first
RUN echo first > /first && rm -r /opt/data && ln /bin/busybox /bin/another && chown app /tmp
COPY hello.txt /after-run
FROM busybox AS beside
RUN test -e /opt/data/one && ! test -e /first && echo more >> /etc/passwd && rm -r /opt /usr && mkdir -p /opt/data /usr/bin/sub
FROM first AS named
ENV x=y
FROM named AS above
RUN test "$(stat -c %Y /first)" -gt 1700000000 && cat /first /after-run > /above && ! test -e /opt/data && rm /after-run && mkdir /opt/data
COPY --from=beside /etc/passwd /opt/data/passwd
FROM first AS copies
COPY dir /opt/data
RUN true
COPY dir/a /opt/data/second
COPY hello.txt /opt/data/deep/
WORKDIR /opt/later
FROM copies AS above-copies
RUN cat /after-run /opt/data/a > /opt/later/made && rm -r /opt/data/deep
FROM busybox
COPY --from=first / /first/
COPY --from=beside / /beside/
COPY --from=named /bin/another /bin/busybox /named/
COPY --from=above / /above/
COPY --from=copies /opt /copies/
COPY --from=above-copies / /above-copies/
RUN ls /first /above > /list
DOCKERFILE
stacked() { executor -c "$WORK/context" -f "$WORK/stacked" -d "$REGISTRY/t/stacked:$1" --reproducible --trace-file "$WORK/trace" "${@:2}"; }
check "stages on stages" stacked overlay
check "unpack their base once" same "$(jq '[.traceEvents[] | select(.name == "unpack")] | length' "$WORK/trace")" 1
check "umoci unpacks it" unpack t/stacked:overlay
check "directories in a directory that was made anew are empty" same "$(cd "$root/beside" && find opt usr | sort | tr '\n' ' ')" \
  "opt opt/data usr usr/bin usr/bin/sub "
check "stages on stages, no overlay" stacked plain --no-overlay
check "are the same" same "$(digest_of t/stacked:plain)" "$(digest_of t/stacked:overlay)"
if [ -x "$build/image/kaniko/executor" ]; then
  cp "$WORK/stacked" "$WORK/context/stacked"
  check "stages on stages in place" "$here/pod/run_in_pod" --profile crio --rootfs "$build/image" --bind "$WORK/context:/workspace" --cwd /workspace \
    -- /kaniko/executor -f stacked -d "$REGISTRY/t/stacked:place" --registry-map "docker.io=$REGISTRY" --reproducible --log-format text
  check "are the same" same "$(digest_of t/stacked:place)" "$(digest_of t/stacked:overlay)"
  rm "$WORK/context/stacked"
fi

# A stage that no instruction names but a trigger of the last one's base, on one that nothing else needs.
printf 'FROM busybox\nONBUILD COPY --from=x /g /g\n' > "$WORK/trigger"
cat > "$WORK/triggered" << DOCKERFILE
FROM busybox AS a
RUN echo hi > /f
FROM a AS x
RUN cat /f > /g
FROM $REGISTRY/t/trigger:v1
DOCKERFILE
check "a base with a trigger" executor -c "$WORK/context" -f "$WORK/trigger" -d "$REGISTRY/t/trigger:v1"
check "the trigger copies from a stage" executor -c "$WORK/context" -f "$WORK/triggered" -d "$REGISTRY/t/triggered:v1" --insecure-registry "$REGISTRY"
check "umoci unpacks it" unpack t/triggered:v1
check "what the stage below left was there" same "$(cat "$root/g")" hi

# --single-snapshot: one layer with what is left of all steps, whatever the sandbox; what was in a directory that was removed and
# made again stays away.
mkdir "$WORK/single"
cat > "$WORK/single/Dockerfile" << 'DOCKERFILE'
FROM busybox AS made
RUN rm -r /opt/data && mkdir /d && echo x > /d/x && echo y > /d/y
RUN mkdir /opt/data && ln /d/x /d/linked && mv /d/y /d/z && mv /d/z /d/y && rm /bin/env
RUN ln /d/x /d/again && touch /bin/env && rm /bin/env
FROM busybox
COPY --from=made /d /d
RUN rm -r /opt/data && echo file > /opt/data && ln /d/y /opt/y
RUN rm /opt/data && mkdir /opt/data && echo new > /opt/data/two
DOCKERFILE
single() { executor -c "$WORK/single" -f "$WORK/single/Dockerfile" -d "$REGISTRY/t/single:$1" --reproducible --single-snapshot "${@:2}"; }
check "--single-snapshot" single overlay
check "one layer more than the base" same "$(config_of t/single:overlay | jq '.rootfs.diff_ids | length')" \
  "$(($(config_of library/busybox | jq '.rootfs.diff_ids | length') + 1))"
check "umoci unpacks it" unpack t/single:overlay
check "what was removed for a while is not back" same "$(ls "$root/opt/data")" two
check "names of one file, given in two steps" same "$(stat -c %h "$root/d/x" "$root/d/again" "$root/d/y" | tr '\n' ' ')" "3 3 2 "
for mode in "" full redo time watch; do
  check "--single-snapshot, no overlay, $mode" single "plain$mode" --no-overlay ${mode:+--snapshot-mode "$mode"}
  check "is the same with $mode" same "$(digest_of "t/single:plain$mode")" "$(digest_of t/single:overlay)"
done
if [ -x "$build/image/kaniko/executor" ]; then
  check "--single-snapshot in place" "$here/pod/run_in_pod" --profile crio --rootfs "$build/image" --bind "$WORK/single:/workspace" --cwd /workspace \
    -- /kaniko/executor -d "$REGISTRY/t/single:place" --registry-map "docker.io=$REGISTRY" --reproducible --single-snapshot --log-format text
  check "is the same in place" same "$(digest_of t/single:place)" "$(digest_of t/single:overlay)"
fi

# Steps that remove, make and move nested directories: the image has what the last RUN saw.
random_steps() {
  python3 "$here/random_steps.py" --executor "$build/executor" --registry "$REGISTRY" --work "$WORK" --rounds 8 > "$WORK/random.log" 2>&1 &&
    grep -q '^compared 48 images' "$WORK/random.log" && ! grep -E '^(DIFFERENCE|FAILURE)' "$WORK/random.log"
}
check "random steps" random_steps

# Nor does a digest depend on the number of processors and the memory, in any of these: layers of many compressed blocks, from a
# context and from RUNs.
mkdir "$WORK/bulk"
python3 - "$WORK/bulk" << 'PYTHON'
import random, sys
numbers = random.Random(7)
for name in range(40):
    with open(f"{sys.argv[1]}/{name}", "wb") as file:
        file.write(numbers.randbytes(1000 << name % 9) + b"%d\n" % name * (40000 * (name % 5)))
PYTHON
cat > "$WORK/bulk/Dockerfile" << 'DOCKERFILE'
FROM busybox AS made
COPY . /data/
RUN cat /data/* > /all && rm /data/3 && mv /data/4 /data/moved && ln /data/5 /data/linked && chmod 600 /data/6
RUN head -c 3000 /all >> /data/7 && rm -r /opt && mkdir /opt && echo new > /opt/one
FROM busybox
COPY --from=made /all /opt /from/
RUN cp -r /from /copied && rm /from/one
DOCKERFILE

# variant TITLE COMMAND...: a build with each number of processors and each budget.
variant() {
  local cores budget
  for cores in "0" "0-$(($(nproc) - 1))"; do
    for budget in 16m 256m; do
      check "$1, processors $cores, $budget" taskset -c "$cores" "${@:2}" --memory-budget "$budget" --reproducible --no-push \
        --digest-file "$digest_file" --registry-map "docker.io=$REGISTRY" --log-format text
      check "digest: $1, processors $cores, $budget" same "$(cat "$WORK/bulk/digest")" "${one_digest:=$(cat "$WORK/bulk/digest")}"
      rm -f "$WORK/bulk/digest"
    done
  done
}
echo digest > "$WORK/bulk/.dockerignore"
digest_file=$WORK/bulk/digest
variant "overlay" timeout 120 "$build/executor" -c "$WORK/bulk" -f "$WORK/bulk/Dockerfile"
for mode in "" full redo time watch; do
  variant "userns $mode" timeout 120 "$build/executor" -c "$WORK/bulk" -f "$WORK/bulk/Dockerfile" --no-overlay ${mode:+--snapshot-mode "$mode"}
done
if [ -x "$build/image/kaniko/executor" ]; then
  digest_file=/workspace/digest
  for mode in "" full redo time watch; do
    variant "in place $mode" "$here/pod/run_in_pod" --profile runtime-default --rootfs "$build/image" --bind "$WORK/bulk:/workspace" \
      --cwd /workspace -- /kaniko/executor ${mode:+--snapshot-mode "$mode"}
  done
fi
check "there was a digest to compare" grep -q '^sha256:' <<< "$one_digest"

# What the registry has is not sent again.
uploads() { requests '"\(POST\|PATCH\|PUT\) /v2/.*/blobs/uploads'; }
before=$(uploads)
check "uploads are counted" test "$before" -gt 10
check "the same build again" executor -c "$WORK/context" -d "$REGISTRY/t/same:again" --reproducible --skip-push-permission-check
check "sends no blob" same "$(uploads)" "$before"
printf 'FROM busybox\nLABEL only=metadata\n' > "$WORK/metadata"
gets() { grep -c "GET /v2/library/busybox/blobs" "$WORK/access.log" || true; }
before=$(gets)
check "a change of metadata" executor -c "$WORK/context" -f "$WORK/metadata" -d "$REGISTRY/t/metadata:v1"
check "moves no layer, only the config" same "$(($(gets) - before))" 1

# A base of another registry than the destination's: what that has is not kept for sending.
first=$REGISTRY first_pid=$registry_pid
mkdir "$WORK/large" "$WORK/other"
head -c 40000000 /dev/urandom > "$WORK/large/random" && tar -C "$WORK/large" -cf "$WORK/large.tar" random
layout_from_tar "$WORK/large.tar" "$WORK/large-layout"
skopeo copy --quiet --dest-tls-verify=false "oci:$WORK/large-layout:latest" "docker://$REGISTRY/library/large"
printf 'FROM large\nRUN ["/true"]\nCOPY hello.txt /\n' > "$WORK/above"
cp /bin/busybox "$WORK/context/true"
sed -i 's,^RUN,COPY true /\nRUN,' "$WORK/above"
start_registry "$WORK/other"
other=$REGISTRY other_pid=$registry_pid
REGISTRY=$first registry_pid=$first_pid
across() { executor -c "$WORK/context" -f "$WORK/above" --reproducible --digest-file "$WORK/across" -d "$other/t/above:$1" -v debug > "$WORK/across.log" 2>&1; }
kept() { grep -c 'go through memory' "$WORK/across.log" || true; }
check "a base from another registry" across v1
check "is kept for sending" same "$(kept)" 0
sent=$(cat "$WORK/across")
check "once more" across v2
check "goes through memory, because it is there" same "$(kept)" 1
check "and gives the same image" same "$(cat "$WORK/across")" "$sent"
check "that can be read" skopeo copy --quiet --src-tls-verify=false "docker://$other/t/above:v2" "dir:$WORK/above-copy"
kill "$other_pid" && other_pid=

# Outputs that are files.
check "archives" executor -c "$WORK/context" --no-push --tar-path "$WORK/image.tar" --oci-layout-path "$WORK/layout" --reproducible
check "skopeo reads the docker archive" skopeo inspect --raw "docker-archive:$WORK/image.tar"
check "skopeo reads the layout" skopeo inspect "oci:$WORK/layout"
check "zstd layers" executor -c "$WORK/context" -d "$REGISTRY/t/zstd:v1" --compression zstd --image-format oci
check "zstd layers are readable" skopeo copy --quiet --src-tls-verify=false "docker://$REGISTRY/t/zstd:v1" "dir:$WORK/zstd"

# Failures.
printf 'FROM busybox\nRUN exit 42\n' > "$WORK/fails"
code=0
executor -c "$WORK/context" -f "$WORK/fails" -d "$REGISTRY/t/fails:v1" > "$WORK/fails.log" 2>&1 || code=$?
check "a failing RUN's code is ours" same "$code" 42
check "and names file, line and command" grep -q 'fails:2: RUN exit 42' "$WORK/fails.log"
check "and leaves no tag" bash -c "! skopeo inspect --tls-verify=false docker://$REGISTRY/t/fails:v1"
# too_late FLAGS...: a place that cannot be written is told before anything is run.
too_late() {
  ! timeout 60 "$build/executor" -c "$WORK/context" -f "$WORK/fails" --no-push --registry-map "docker.io=$REGISTRY" "$@" > "$WORK/late.log" 2>&1 &&
    grep -qF "' cannot be written: " "$WORK/late.log" && ! grep -q RUN "$WORK/late.log"
}
check "an archive in no directory" too_late --tar-path "$WORK/none/image.tar"
check "... over a directory" too_late --tar-path "$WORK/context"
check "a layout below a file" too_late --oci-layout-path "$WORK/fails/layout"
check "a digest below a file" too_late --digest-file "$WORK/fails/x/digest"
check "a trace in no directory" too_late --trace-file "$WORK/none/trace"
check "an archive into a pipe" bash -c "timeout 60 '$build/executor' -c '$WORK/context' --no-push --tar-path /dev/stdout --registry-map docker.io=$REGISTRY \
  2> '$WORK/pipe.log' | tar -t | grep -qx manifest.json && [ -h /dev/stdout ]"
printf 'FROM busybox\nCOPY nothing /x\n' > "$WORK/missing"
check "a missing source is named" bash -c "! timeout 60 '$build/executor' -c '$WORK/context' -f '$WORK/missing' --no-push --registry-map docker.io=$REGISTRY > '$WORK/missing.log' 2>&1 && grep -q '\"/nothing\": not found' '$WORK/missing.log'"
check "an unknown flag names the nearest" bash -c "! '$build/executor' --destinaton x > '$WORK/flag.log' 2>&1 && grep -q -- '--destination' '$WORK/flag.log'"
printf 'FROM busybox\nRUN sleep 100.25\n' > "$WORK/sleeps"
executor_pid() { "$build/executor" -c "$WORK/context" -f "$WORK/sleeps" -d "$REGISTRY/t/sleeps:v1" --registry-map "docker.io=$REGISTRY" > "$WORK/sleeps.log" 2>&1 & echo $!; }
pid=$(executor_pid)
for _ in $(seq 50); do pgrep -f '[s]leep 100.25' > /dev/null && break; sleep 0.1; done
kill -TERM "$pid"
stopped=no
for _ in $(seq 50); do kill -0 "$pid" 2> /dev/null || { stopped=yes; break; }; sleep 0.1; done
check "SIGTERM ends a build" same "$stopped" yes
check "and what it started" bash -c "! pgrep -f '[s]leep 100.25'"

# What was left by a build and by a deletion that were killed.
mkdir -p "$WORK/place/kiln-killed/rootfs" "$WORK/place/kiln-trash-killed/rootfs" "$WORK/place/kiln-of-others"
printf 'FROM busybox\nRUN true\n' > "$WORK/true"
check "a build where others were killed" executor -c "$WORK/context" -f "$WORK/true" --no-push --work-dir "$WORK/place"
for _ in $(seq 100); do [ "$(ls "$WORK/place")" = kiln-of-others ] && break; sleep 0.1; done
check "deletes what they left, and only that" same "$(ls "$WORK/place")" kiln-of-others

echo "e2e: $passed passed, $failed failed"
[ "$failed" = 0 ]
