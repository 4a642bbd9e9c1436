#!/usr/bin/env bash
# RUN --mount, --secret, --ssh, heredoc scripts and what a RUN leaves behind: in userns with and without overlay on this machine, and
# in place inside runc. The image has to be the same each time, and nothing of a secret may be anywhere in it.
# Usage: tests/e2e/mounts.sh BUILD-DIRECTORY
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
WORK=$(mktemp -d /var/tmp/kiln-e2e-mounts.XXXXXX)
chmod 755 "$WORK"
registry_pid=
agent_pid=
trap 'for pid in $registry_pid $agent_pid; do kill "$pid" 2> /dev/null || true; done; rm -rf "$WORK"' EXIT
source "$here/lib.sh"
export KILN_FOREGROUND_CLEANUP=1
start_busybox_registry
mkdir -p "$WORK/context/src/deep" "$WORK/context/node_modules" "$WORK/out" "$WORK/cache" "$WORK/secrets" "$build/image/etc"
cd "$WORK/context"
echo one > src/one && echo two > src/deep/two && ln -s one src/link && echo ignored > node_modules/x && echo node_modules > .dockerignore
find . -exec touch -h -d '2024-03-04 05:06:07 UTC' {} +
printf 'hunter2-from-file\n' > "$WORK/secrets/file"
export TOKEN=hunter2-from-variable

# An agent that answers every line with itself.
python3 - "$WORK/agent.sock" > /dev/null <<'PYTHON' &
import socketserver, sys
class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(b"agent: " + line)
socketserver.ThreadingUnixStreamServer(sys.argv[1], Echo).serve_forever()
PYTHON
agent_pid=$!
for _ in $(seq 50); do [ -S "$WORK/agent.sock" ] && break; sleep 0.1; done

cat > "$WORK/client.c" <<'C'
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
int main(int argc, char** argv) {
  struct sockaddr_un name = {AF_UNIX, ""};
  char answer[64];
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  strncpy(name.sun_path, argv[argc - 1], sizeof name.sun_path - 1);
  if (connect(fd, (struct sockaddr*)&name, sizeof name) != 0 || write(fd, "hello\n", 6) != 6) return 1;
  return write(1, answer, read(fd, answer, sizeof answer)) > 0 ? 0 : 1;
}
C
clang-19 -static -o "$WORK/context/client" "$WORK/client.c"

# run_in WHERE DOCKERFILE NAME FLAGS...: builds to $WORK/out/NAME (a layout); the log is $WORK/out/NAME.log.
run_in() {
  local where=$1 file=$2 name=$3
  shift 3
  local flags=(--no-push --oci-layout-path "$WORK/out/$name" --digest-file "$WORK/out/$name.digest" --reproducible --log-format text
    --registry-map "docker.io=$REGISTRY" --cache-dir "$WORK/cache/$where" -f "$file" -c "$WORK/context" "$@")
  case $where in
    overlay) timeout 120 "$build/executor" "${flags[@]}" > "$WORK/out/$name.log" 2>&1 ;;
    plain) timeout 120 "$build/executor" --no-overlay "${flags[@]}" > "$WORK/out/$name.log" 2>&1 ;;
    *) timeout 120 "$here/pod/run_in_pod" --profile "$where" --rootfs "$build/image" --bind "$WORK:/workspace" --env "TOKEN=$TOKEN" --cwd / -- \
      /kaniko/executor "${flags[@]//$WORK//workspace}" > "$WORK/out/$name.log" 2>&1 ;;
  esac
}
build_in() { run_in "$@" || { local code=$?; tail -25 "$WORK/out/$3.log"; return "$code"; }; }
wheres="overlay plain runtime-default"
# everywhere NAME FILE FLAGS...: builds in every sandbox and compares the digests.
everywhere() {
  local name=$1 file=$2 where
  shift 2
  for where in $wheres; do
    check "$name ($where)" build_in "$where" "$file" "$name-$where" "$@"
    check "$name: the same digest ($where)" same "$(cat "$WORK/out/$name-$where.digest" 2> /dev/null || echo none)" \
      "$(cat "$WORK/out/$name-overlay.digest" 2> /dev/null || echo missing)"
  done
}
# everything DIRECTORY...: all that is in layouts, layers inflated.
everything() {
  python3 - "$@" <<'PYTHON'
import gzip, os, sys
for top in sys.argv[1:]:
    for directory, _, names in os.walk(top):
        for name in names:
            data = open(os.path.join(directory, name), "rb").read()
            sys.stdout.buffer.write(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)
PYTHON
}
files_of() { # NAME: paths in the layers above the base
  local layer
  for layer in $(jq -r '.layers[1:][].digest' "$(manifest_of "$1")"); do tar -tzf "$WORK/out/$1/blobs/sha256/${layer#sha256:}"; done
}
manifest_of() { echo "$WORK/out/$1/blobs/sha256/$(jq -r '.manifests[0].digest' "$WORK/out/$1/index.json" | cut -d: -f2)"; }
refused() { # WHERE NAME TEXT FLAGS...: the build of $WORK/bad fails and says TEXT
  local where=$1 name=$2 text=$3
  shift 3
  if run_in "$where" "$WORK/bad" "$name" "$@"; then echo "it was built"; return 1; fi
  grep -qF -- "$text" "$WORK/out/$name.log" || { tail -5 "$WORK/out/$name.log"; return 1; }
}

cat > "$WORK/binds" <<'DOCKERFILE'
FROM busybox AS tools
RUN mkdir -p /kit/sub && echo tool > /kit/tool && ln /kit/tool /kit/sub/hard && chown 1000:1000 /kit/sub/hard
COPY src/one /kit/late
FROM busybox
WORKDIR /work
RUN --mount=type=bind,target=. test -f src/one && test ! -e node_modules && cat src/deep/two > /seen && echo "$(stat -c '%u:%g %Y' src/one)" >> /seen
RUN --mount=target=/new/deep/context,source=src cat /new/deep/context/link >> /seen
RUN --mount=target=/opt/data,source=src test -f /opt/data/one && test ! -e /opt/data/two
RUN test -f /opt/data/two && ! test -e /new && ls /work /opt/data >> /seen
RUN --mount=type=bind,source=src/one,target=/etc/passwd cat /etc/passwd >> /seen
RUN grep -q root /etc/passwd
RUN --mount=from=tools,source=/kit,target=/kit cat /kit/tool /kit/late /kit/sub/hard >> /seen && echo "$(stat -c '%u %h' /kit/sub/hard)" >> /seen
RUN --mount=from=tools,source=/kit,target=/kit,rw echo more >> /kit/tool && rm /kit/late && touch /kit/x && cat /kit/tool >> /seen
RUN --mount=from=tools,source=/kit,target=/kit,rw test -f /kit/late && test ! -e /kit/x && cat /kit/tool >> /seen
RUN --mount=source=src,target=/rw,rw echo x > /rw/one && touch /rw/deep/new
RUN --mount=source=src,target=/rw cat /rw/one >> /seen && test ! -e /rw/deep/new
RUN --mount=from=busybox,source=/opt/data,target=/b cat /b/one >> /seen
ARG DIR=src
RUN --mount=source=$DIR/deep,target=/$DIR --mount=type=tmpfs,target=/src/../t,size=1m ls /src >> /seen && touch /t/x && ! test -e /t/../src/one
RUN --mount=type=tmpfs,target=/x --mount=type=tmpfs,target=/x/y/z touch /x/y/z/f && mkdir /x/q
RUN --mount=type=tmpfs,target=/opt touch /opt/a /beside && test ! -e /opt/data
RUN touch /run-me && ls /opt >> /seen
DOCKERFILE
everywhere binds "$WORK/binds"
check "nothing of a mount is in a layer" same "$(files_of binds-overlay | grep -cE '^(new|kit|b|rw|t|x|src|opt|etc/passwd)(/|$)')" 0
check "the context is untouched" same "$(cat "$WORK/context/src/one")" one

cat > "$WORK/cache.1" <<'DOCKERFILE'
FROM busybox AS seed
RUN mkdir /seed && echo seeded > /seed/file
FROM busybox
RUN --mount=type=cache,target=/var/cache/a echo first > /var/cache/a/file && ls -d /var/cache/a
RUN --mount=type=cache,target=/var/cache/a cat /var/cache/a/file > /seen && test ! -e /var/cache/b
RUN --mount=type=cache,id=b,target=/c1,mode=0700,uid=1000,gid=2000 echo "$(stat -c '%a %u:%g' /c1)" >> /seen && touch /c1/kept
RUN --mount=type=cache,id=b,target=/elsewhere,mode=0700,uid=1000,gid=2000 test -f /elsewhere/kept
RUN --mount=type=cache,id=b,target=/elsewhere test ! -e /elsewhere/kept
RUN --mount=type=cache,target=/s,from=seed,source=/seed cat /s/file >> /seen && echo changed > /s/file
RUN --mount=type=cache,target=/s,from=seed,source=/seed cat /s/file >> /seen
RUN --mount=type=cache,target=/opt/data,sharing=locked test ! -e /opt/data/one && touch /opt/data/three
RUN test -f /opt/data/one && test ! -e /opt/data/three && ! test -e /var/cache
RUN --mount=type=cache,target=/p,sharing=private --mount=type=cache,target=/p/inner touch /p/inner/x && ls /p >> /seen
DOCKERFILE
printf 'FROM busybox\nRUN --mount=type=cache,target=/var/cache/a cat /var/cache/a/file > /again\n' > "$WORK/cache.2"
printf 'FROM busybox\nRUN --mount=type=cache,target=/var/cache/a echo failing > /var/cache/a/file && exit 9\n' > "$WORK/cache.3"
everywhere cache "$WORK/cache.1"
everywhere cache-again "$WORK/cache.2"
for where in $wheres; do
  code=0
  run_in "$where" "$WORK/cache.3" "cache-fails-$where" || code=$?
  check "a failing RUN's code ($where)" same "$code" 9
  check "and its cache stays ($where)" grep -rqx failing "$WORK/cache/$where"
done
# A cache begins anew where its seed has changed, and only there.
seeded() { # seeded TEXT EXPECTED
  printf 'FROM busybox AS seed\nRUN mkdir /seed && echo %s > /seed/file\nFROM busybox\nRUN --mount=type=cache,target=/s,from=seed,source=/seed cat /s/file; echo used >> /s/file\n' "$1" > "$WORK/seeded"
  run_in overlay "$WORK/seeded" seeded && same "$(sed -n 's/.* | //p' "$WORK/out/seeded.log" | tr '\n' ' ')" "$2"
}
check "a cache with a seed" seeded one "one "
check "... is kept" seeded one "one used "
check "... another seed is another cache" seeded two "two "
# The layer cache knows what a mount holds at its start, and does not care for caches and secrets.
printf 'FROM busybox\nRUN --mount=source=src,target=/s --mount=type=cache,target=/c cat /s/one > /seen\n' > "$WORK/layers"
layer_cache() { run_in overlay "$WORK/layers" "layers-$1" --cache --cache-repo "oci:$WORK/layer-cache"; }
hits() { layer_cache "$1" && { [ "$2" = no ] && ! grep -qi cached "$WORK/out/layers-$1.log" || { [ "$2" = yes ] && grep -qi cached "$WORK/out/layers-$1.log"; }; } || { cat "$WORK/out/layers-$1.log"; return 1; }; }
check "a RUN with mounts goes into the layer cache" hits 1 no
check "and comes from there" hits 2 yes
echo changed > src/one
check "unless what is mounted has changed" hits 3 no
echo one > src/one
# Locked: two stages at once never see each other; over processes, too.
cat > "$WORK/locked" <<'DOCKERFILE'
FROM busybox AS a
RUN --mount=type=cache,target=/l,sharing=locked test ! -e /l/busy && touch /l/busy && sleep 0.5 && rm /l/busy
FROM busybox AS b
RUN --mount=type=cache,target=/l,sharing=locked test ! -e /l/busy && touch /l/busy && sleep 0.5 && rm /l/busy
FROM busybox
COPY --from=a /etc/group /a
COPY --from=b /etc/group /b
DOCKERFILE
two_at_once() {
  run_in overlay "$WORK/locked" locked-1 &
  local pid=$!
  run_in overlay "$WORK/locked" locked-2 && wait "$pid"
}
check "locked caches" two_at_once

cat > "$WORK/secret" <<'DOCKERFILE'
FROM busybox
RUN --mount=type=secret,id=file grep -q ^hunter[2]-from-file /run/secrets/file && echo "$(stat -c '%a %u:%g' /run/secrets/file)" > /seen
RUN test ! -e /run
RUN --mount=type=secret,id=token,env=SECRET_TOKEN echo "$SECRET_TOKEN" | grep -qx hunter[2]-from-variable && test ! -e /run/secrets
RUN --mount=type=secret,id=token,env=X,target=/etc/group test "$X" = "$(cat /etc/group)"
RUN grep -q extra /etc/group
RUN --mount=type=secret,id=file,target=/root/.netrc,mode=0440,uid=1000,gid=2000 echo "$(stat -c '%a %u:%g' /root/.netrc)" >> /seen && touch /root/beside
RUN --mount=type=secret,id=absent test ! -e /run/secrets/absent
USER app
RUN --mount=type=secret,id=file,uid=1000 cat /run/secrets/file > /dev/null
RUN --mount=type=secret,id=file ! cat /run/secrets/file
DOCKERFILE
everywhere secret "$WORK/secret" --secret "id=file,src=$WORK/secrets/file" --secret id=token,env=TOKEN
for where in $wheres; do
  check "no secret in image, history or log ($where)" bash -c "! { cat '$WORK/out/secret-$where.log'; $(declare -f everything); everything '$WORK/out/secret-$where'; } | grep -aq hunter2"
done
check "and the search would find one" bash -c "$(declare -f everything); everything '$WORK/out/binds-overlay' | grep -aq 'tool'"
printf 'FROM busybox\nRUN --mount=type=secret,id=nobody,required true\n' > "$WORK/bad"
check "a required secret that is missing" refused overlay bad 'secret nobody: not found'
check "the same id twice" refused overlay bad 'the id is used twice' --secret "id=a,src=$WORK/secrets/file" --secret "id=a,src=$WORK/secrets/file"

cat > "$WORK/ssh" <<'DOCKERFILE'
FROM busybox
RUN --mount=type=ssh --mount=source=client,target=/client echo "$SSH_AUTH_SOCK $(stat -c '%a %u' $SSH_AUTH_SOCK)" > /seen && test "$(/client $SSH_AUTH_SOCK)" = "agent: hello"
RUN --mount=type=ssh,id=absent,target=/s test ! -e /s && test ! -e /run
RUN --mount=type=ssh,target=/a/b.sock,uid=1000,mode=0660 --mount=source=client,target=/client test "$(/client /a/b.sock)" = "agent: hello" && stat -c '%a %u' /a/b.sock >> /seen
DOCKERFILE
everywhere ssh "$WORK/ssh" --ssh "default=$WORK/agent.sock"
printf 'FROM busybox\nRUN --mount=type=ssh,required true\n' > "$WORK/bad"
check "a required agent that is missing" refused overlay bad 'no SSH key "default" forwarded'
check "a key file is no agent" refused overlay bad "is not an agent's socket" --ssh "default=$WORK/secrets/file"

cat > "$WORK/scripts" <<'DOCKERFILE'
FROM busybox
RUN <<EOF
echo "plain $0" > /seen
cd /tmp
pwd >> /seen
EOF
RUN <<-"E"F
	#!/bin/busybox sh
	echo "script $0" >> /seen
EF
RUN cat <<A >> /seen && cat <<B >> /seen
a $HOME
A
b
B
RUN ["/bin/sh", "-c", "echo exec >> /seen; cat >> /seen; umask >> /seen"]
SHELL ["/bin/busybox", "sh", "-e", "-c"]
RUN <<EOF
false || echo "shell" >> /seen
EOF
USER app
RUN <<EOF
#!/bin/sh
id > /tmp/id
EOF
DOCKERFILE
everywhere scripts "$WORK/scripts"
printf 'FROM busybox\nRUN --network=none ! busybox nc -w 1 127.0.0.1 %s < /dev/null\nRUN --network=host busybox nc -w 5 127.0.0.1 %s < /dev/null\nRUN --security=sandbox true\n' \
  "${REGISTRY##*:}" "${REGISTRY##*:}" > "$WORK/network"
check "--network" build_in overlay "$WORK/network" network
printf 'FROM busybox\nRUN --network=none true\n' > "$WORK/bad"
check "--network=none in place is refused" refused runtime-default bad '--network=none cannot be honoured in place'
printf 'FROM busybox\nRUN --security=insecure true\n' > "$WORK/bad"
check "--security=insecure is refused" refused overlay bad '--security=insecure cannot be honoured'
printf 'FROM busybox\nRUN --device=gpu true\n' > "$WORK/bad"
check "--device is refused" refused overlay bad '--device=gpu cannot be honoured'
printf 'FROM busybox\nRUN --mount=type=tmpfs,target=/etc true\n' > "$WORK/bad"
check "a mount around a mount of the pod is refused" refused runtime-default bad '--mount=type=tmpfs,target=/etc'
printf 'FROM scratch\nCOPY src /\nRUN true\n' > "$WORK/bad"
check "a missing shell is named" refused overlay bad 'the image has no shell'

# What a RUN leaves behind: daemons, a broken root.
cat > "$WORK/leaves" <<'DOCKERFILE'
FROM busybox
RUN (busybox setsid sh -c 'sleep 1; echo late > /late; sleep 300' > /dev/null 2>&1 &) ; (busybox setsid busybox setsid sleep 301 &) ; true
RUN sleep 1.5; test ! -e /late && echo fine > /seen
RUN --mount=type=cache,target=/x busybox rm -rf /bin/sh /lib /etc/passwd /etc/group && busybox ln -s nowhere /bin/sh
RUN ["/bin/busybox", "touch", "/after"]
DOCKERFILE
everywhere leaves "$WORK/leaves"

# Cancelled in place: the secret goes with the build.
printf 'FROM busybox\nRUN --mount=type=secret,id=file,target=/opt/secret sleep 60\n' > "$WORK/sleeps"
cat > "$WORK/cancel.sh" <<SCRIPT
busybox() { /workspace/busybox-static "\$@"; }
/kaniko/executor --no-push -f /workspace/sleeps -c /workspace/context --registry-map docker.io=$REGISTRY --secret id=file,src=/workspace/secrets/file > /workspace/out/cancel.log 2>&1 &
pid=\$!
for _ in \$(busybox seq 100); do [ -e /opt/secret ] && break; busybox sleep 0.1; done
[ -e /opt/secret ] && echo "was there" > /workspace/out/cancel
kill -TERM \$pid
wait \$pid
[ -e /opt/secret ] && echo "still there" >> /workspace/out/cancel
exit 0
SCRIPT
cp /bin/busybox "$WORK/busybox-static"
check "a cancelled build in place" timeout 120 "$here/pod/run_in_pod" --profile runtime-default --rootfs "$build/image" --bind "$WORK:/workspace" --cwd / -- \
  /workspace/busybox-static sh /workspace/cancel.sh
check "takes its secret with it" same "$(cat "$WORK/out/cancel")" "was there"

echo "mounts: $passed passed, $failed failed"
[ "$failed" = 0 ]
