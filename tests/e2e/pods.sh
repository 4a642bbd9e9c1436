#!/usr/bin/env bash
# The executor image, built by kiln, in containers with the rights of different pods: the same Dockerfiles must give the same images
# everywhere, or be refused with a text that says why. Usage: tests/e2e/pods.sh BUILD-DIRECTORY [short|large]
# All builds of a profile run one after another in one container, a failing one between them.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
form=${2:-full}
WORK=$(mktemp -d /var/tmp/kiln-e2e-pods.XXXXXX)
registry_pid= git_pids=()
trap 'kill $registry_pid "${git_pids[@]}" 2> /dev/null || true; rm -rf "$WORK"' EXIT
source "$here/lib.sh"
export KILN_FOREGROUND_CLEANUP=1
chmod 755 "$WORK"
start_registry "$WORK"

source "$here/pod/images.sh"
# A context, and things that a program must not load from the root it finds itself in.
mkdir -p "$WORK/context/dir/deep" "$WORK"/context/hostile/{etc/ssl,etc/ssh,usr/lib/ssl,usr/lib/x86_64-linux-gnu/gconv}
cd "$WORK/context"
echo hello > hello.txt && echo a > dir/a && echo b > dir/deep/b && ln -s a dir/link
tar -cJf archive.tar.xz dir
cat > "$WORK/hijack.c" <<'C'
#include <fcntl.h>
__attribute__((constructor)) static void hijack(void) { open("/results/hijacked", O_CREAT | O_WRONLY, 0666); }
C
clang-19 -shared -fPIC -o hijack.so "$WORK/hijack.c"
echo /hijack.so > hostile/etc/ld.so.preload
printf 'hosts: hijack files dns\npasswd: hijack\ngroup: hijack\nservices: hijack\n' > hostile/etc/nsswitch.conf
printf 'openssl_conf = a\n[a]\nengines = b\nproviders = b\n[b]\nhijack = c\n[c]\nactivate = 1\nmodule = /hijack.so\ndynamic_path = /hijack.so\n' |
  tee hostile/etc/ssl/openssl.cnf > hostile/usr/lib/ssl/openssl.cnf
printf 'Host *\n  ProxyCommand /bin/touch /results/hijacked\n' > hostile/etc/ssh/ssh_config
echo 'module UTF-16// INTERNAL /hijack 1' > hostile/usr/lib/x86_64-linux-gnu/gconv/gconv-modules
find . -exec touch -h -d '2024-03-04 05:06:07 UTC' {} +

if [ "$form" = short ]; then
  profiles="runtime-default unset crio restricted"
  files=(01-copy-only 04-stages 05-mounted-files 15-removes-lib 19-hostile-root 22-musl 23-links-to-mounts)
else
  profiles="runtime-default unset crio userns restricted readonly memory"
  mapfile -t files < <(cd "$here/pod/dockerfiles" && ls)
fi
cp "$here"/pod/dockerfiles/* "$WORK/dockerfiles"
printf 'FROM busybox\nRUN echo left > /left-behind && rm -rf /bin/ls && exit 3\n' > "$WORK/dockerfiles/fails"

for file in "${files[@]}"; do
  check "$file here" timeout 120 "$build/executor" -c "$WORK/context" -f "$WORK/dockerfiles/$file" -d "$REGISTRY/t/$file:here" \
    --registry-map "docker.io=$REGISTRY" --reproducible --digest-file "$WORK/$file.digest"
done

# build_all PROFILE: every file in one container; leaves /results/FILE.{code,digest,log}.
build_all() {
  rm -rf "$WORK"/results/*
  cat > "$WORK/results/script" <<SCRIPT
build() {
  /kaniko/executor -f "/dockerfiles/\$1" -d "$REGISTRY/t/\$1:$1" --registry-map docker.io=$REGISTRY --reproducible \
    --digest-file "/results/\$1.digest" > "/results/\$1.log" 2>&1
  echo \$? > "/results/\$1.code"
}
for file in ${files[*]}; do
  build "\$file"
  case \$file in *4-*) build fails ;; esac
done
SCRIPT
  pod "$1" debug --entrypoint "" --bind "$WORK/dockerfiles:/dockerfiles:ro" -- /busybox/sh /results/script
}
has_run() { grep -q '^RUN' "$WORK/dockerfiles/$1"; }
refused() {
  [ "$(cat "$WORK/results/$1.code")" != 0 ] && grep -qF -- "$2" "$WORK/results/$1.log" || { cat "$WORK/results/$1.log"; return 1; }
}
equal() {
  same "$(cat "$WORK/results/$1.digest" 2> /dev/null)" "$(cat "$WORK/$1.digest")" || { cat "$WORK/results/$1.log"; return 1; }
}

for profile in $profiles; do
  pod_code=0
  build_all "$profile" > "$WORK/pod.log" 2>&1 || pod_code=$?
  check "$profile: the container ends well" same "$pod_code $(cat "$WORK/pod.log")" "0 "
  case $profile in
    restricted) reason="needs root in the container (runAsUser: 0)" ;;
    readonly) reason="readOnlyRootFilesystem" ;;
    *) reason= ;;
  esac
  for file in "${files[@]}"; do
    if [ -n "$reason" ] && has_run "$file"; then
      check "$profile: $file is refused with the reason" refused "$file" "$reason"
    else
      check "$profile: $file" equal "$file"
    fi
  done
  [ -n "$reason" ] || check "$profile: a failing RUN's code" same "$(cat "$WORK/results/fails.code")" 3
  check "$profile: nothing of the new root was loaded" test ! -e "$WORK/results/hijacked"
done

# The images.
blob_bytes() { skopeo inspect --raw "oci:$WORK/images/$1" | jq '[.layers[].size] | add'; }
for variant in executor debug slim warmer; do
  check "$variant is at most 25 MB" test "$(blob_bytes $variant)" -le 25000000
done
config_is() { same "$(jq -c "$2" "$WORK/$1.json")" "$3"; }
check "executor: entrypoint, directory" config_is executor '[.config.Entrypoint, .config.WorkingDir, .config.Volumes]' '[["/kaniko/executor"],"/workspace",null]'
check "executor: environment" config_is executor '.config.Env | sort' '["DOCKER_CONFIG=/kaniko/.docker/","DOCKER_CREDENTIAL_GCR_CONFIG=/kaniko/.config/gcloud/docker_credential_gcr_config.json","HOME=/root","PATH=/usr/local/bin:/kaniko","SSL_CERT_DIR=/kaniko/ssl/certs","USER=root"]'
check "debug: path and volume" config_is debug '[(.config.Env[] | select(startswith("PATH="))), .config.Volumes]' '["PATH=/usr/local/bin:/kaniko:/busybox",{"/busybox":{}}]'
check "slim: no directory, no docker config" config_is slim '[.config.WorkingDir, ([.config.Env[] | select(startswith("DOCKER"))] | length)]' '["/",0]'
check "warmer: entrypoint" config_is warmer '.config.Entrypoint' '["/kaniko/warmer"]'
check "debug: shells" test -L "$WORK/debug/rootfs/bin/sh" -a -x "$WORK/debug/rootfs/busybox/sh"
check "any user may write to /kaniko" same "$(stat -c %a "$WORK/executor/rootfs/kaniko" "$WORK/executor/rootfs/kaniko/.docker" | sort -u)" 777
expected=$(cat "$WORK/03-run.digest" 2> /dev/null || true)
if [ -z "$expected" ]; then
  timeout 120 "$build/executor" -c "$WORK/context" -f "$WORK/dockerfiles/03-run" --no-push --registry-map "docker.io=$REGISTRY" --reproducible \
    --digest-file "$WORK/03-run.digest" > "$WORK/here.log" 2>&1
  expected=$(cat "$WORK/03-run.digest")
fi
check "tools in the container come back" in_pod 'mkdir -p /tools /usr/bin; echo mine > /tools/mine; echo "echo hi" > /usr/bin/hi; build; cat /tools/mine; sh /usr/bin/hi; test -e /out.txt'
check "and are in no layer" same "$(cat "$WORK/results/digest")" "$expected"
check "--cleanup leaves / empty" in_pod 'mkdir /tools; build --cleanup; ls -d /bin /tools /out.txt /opt && exit 1; ls -a / ; test -z "$(ls -d /kaniko/kiln-* 2> /dev/null)"; build; test -e /out.txt'
check "the same image after it" same "$(cat "$WORK/results/digest")" "$expected"
check "--preserve-context leaves / as it was" in_pod 'mkdir -p /tools/a; echo x > /tools/a/b; build --cleanup --preserve-context; cat /tools/a/b; test ! -e /out.txt; test -L /bin/sh'
check "--pre-cleanup deletes what was there" in_pod 'mkdir /tools; build --pre-cleanup; test ! -e /tools; test -e /out.txt'
check "--materialize leaves the image's files in /" in_pod 'build --cleanup --cache --cache-repo oci:/results/cache; test ! -e /out.txt
build --materialize --cache --cache-repo oci:/results/cache > /results/log 2>&1; test -e /out.txt; test -L /bin/ls
/kaniko/executor -f /dockerfiles/02-copy-on-base --materialize --no-push --registry-map docker.io='"$REGISTRY"'; test -e /srv/app/deep/b; test -e /opt/data/through'
check "... when every step is cached" says "cached" "$WORK/results/log"
check "... and the image is the same" same "$(cat "$WORK/results/digest")" "$expected"
check "a mount below a link of the image" in_pod 'build -f /dockerfiles/23-links-to-mounts; cat /lib/modules/extra/hello.txt /var/run/secrets/kubernetes.io/serviceaccount/token; test ! -L /var/run
build --cleanup -f /dockerfiles/22-musl; cat /lib/modules/extra/hello.txt /var/run/secrets/kubernetes.io/serviceaccount/token; build -f /dockerfiles/23-links-to-mounts' --bind "$WORK/context:/lib/modules/extra:ro"
check "... the image is the same" same "$(cat "$WORK/results/digest")" "$(cat "$WORK/23-links-to-mounts.digest")"
check "results go to where the current directory was" in_pod 'mkdir -p /own/deep; cd /own/deep; build --tar-path image.tar --trace-file trace --kaniko-dir kaniko
test -s /own/deep/image.tar -a -s /own/deep/trace; test -z "$(ls /own/deep/kaniko)"; cd /bin; build --digest-file below/digest; test -s /bin/below/digest'
check "a context that is a plain directory survives" in_pod 'mkdir -p /src/app; echo FROM busybox > /src/app/Dockerfile; echo COPY f /f >> /src/app/Dockerfile; echo RUN test ! -e /src >> /src/app/Dockerfile; echo COPY f /src/app/ >> /src/app/Dockerfile
echo RUN cat /src/app/f >> /src/app/Dockerfile; echo x > /src/app/f
for i in 1 2; do /kaniko/executor -c /src/app --no-push --registry-map docker.io='"$REGISTRY"'; cat /src/app/f /src/app/Dockerfile; done'
# Whatever a build is given, in the container's own root: no RUN sees it, no layer has it, and it is there afterwards, twice.
cat > "$WORK/dockerfiles/given" <<'DOCKERFILE'
FROM layout AS first
COPY --from=one f /from-one
RUN test ! -e /one && test ! -e /deep && test ! -e /layout && test ! -e /src && test ! -e /Dockerfile.given && test ! -e /key
RUN --mount=type=cache,target=/kept --mount=type=secret,id=key cat /run/secrets/key && echo more >> /kept/lines && cat /kept/lines > /lines
RUN mkdir -p /one /root/.docker && echo image > /one/f && echo image > /root/.docker/config.json && echo image > /key && echo image > /Dockerfile.given
FROM busybox
COPY --from=first /lines /one /key /Dockerfile.given /root/.docker/config.json /all/
COPY --from=two f /from-two
COPY --from=layout bin/busybox /busybox
RUN cat /from-two && test ! -e /one && test ! -e /deep && mkdir -p /deep/two && echo image > /deep/two/f
COPY f /from-context
DOCKERFILE
given='/kaniko/executor -c /src -f /Dockerfile.given --build-context one=/one --build-context two=/deep/two --build-context layout=oci-layout:///layout
 --secret id=key,src=/key --cache-dir /mine/cache --no-push --tar-path /results/image.tar --registry-map docker.io='"$REGISTRY"
check "what a build is given stays out of it" in_pod 'mkdir -p /one /deep/two /src /root/.docker /mine; for f in /one/f /deep/two/f /src/f /key; do echo given > $f; done; echo "{}" > /root/.docker/config.json
cp -r /base /layout; cp /dockerfiles/given /Dockerfile.given
for i in 1 2; do '"${given//$'\n'/ }"'; cat /one/f /deep/two/f /src/f /key /root/.docker/config.json > /results/left; grep -q image /results/left && exit 1
 cmp /Dockerfile.given /dockerfiles/given; cmp /layout/index.json /base/index.json; test -d /mine/cache/kiln-cache-mounts; done' --bind "$WORK/busybox:/base:ro"
layers() { tar -xOf "$WORK/results/image.tar" --wildcards '*.tar.gz' | tar -tzi | sort > "$WORK/names"; }
check "... and of its layers" bash -c "$(declare -f layers); WORK='$WORK'; layers; grep -qx all/lines '$WORK/names' && ! grep -E '^(mine|src|layout|one|given)' '$WORK/names'"
check "... its caches kept" bash -c "tar -xOf '$WORK/results/image.tar' --wildcards '*.tar.gz' | tar -xziO all/lines | grep -c more | grep -qx 2"
check "a build that was killed leaves nothing behind" in_pod '/kaniko/executor -f /dockerfiles/16-daemons --no-push --registry-map docker.io='"$REGISTRY"' & pid=$!
until ls -d /kaniko/kiln-*; do sleep 0.1; done; kill -9 $pid; wait $pid || true; build
for i in $(seq 100); do ls -d /kaniko/kiln-* || exit 0; sleep 0.1; done; exit 1'

# A Dockerfile that works where the pod has its context: what a RUN leaves there is found by a later COPY --from.
printf 'FROM busybox AS builder\nWORKDIR /workspace\nCOPY hello.txt hello.txt\nRUN cat hello.txt > built\nFROM scratch\nCOPY --from=builder /workspace/built /\n' > "$WORK/dockerfiles/workspace"
cp -r "$WORK/context" "$WORK/writable"
check "a RUN that writes below a mount" in_pod '/kaniko/executor -c /context -f /dockerfiles/workspace --no-push --tar-path /results/image.tar --registry-map docker.io='"$REGISTRY" --bind "$WORK/writable:/context" --bind "$WORK/writable:/workspace"
check "and a COPY --from of that" bash -c "skopeo inspect docker-archive:'$WORK/results/image.tar' > /dev/null && tar -xOf '$WORK/results/image.tar' --wildcards '*.tar.gz' | tar -tz | grep -qx built"

# Git in the image, which has no shell: by https with a CA of one's own; a context with a login and a submodule, and ADD.
git() { command git -c user.name=t -c user.email=t@t -c init.defaultBranch=main -c protocol.file.allow=always "$@"; }
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$WORK/key.pem" -out "$WORK/ca.pem" -days 2 -subj /CN=test -addext subjectAltName=IP:127.0.0.1 2> /dev/null
mkdir "$WORK/repositories"
serve_git() { # serve_git OPTIONS...: sets SERVER.
  SERVER="127.0.0.1:$(free_port)"
  python3 "$here/git_server.py" --listen "$SERVER" --root "$WORK/repositories" --certificate "$WORK/ca.pem" --key "$WORK/key.pem" "$@" > "$WORK/git.log" 2>&1 &
  git_pids+=($!)
  wait_for_port "${SERVER##*:}"
}
serve_git
open_server=$SERVER
serve_git --login tok:
(
  cd "$WORK/repositories"
  git init -q part && echo part > part/file && git -C part add . && git -C part commit -qm part
  git clone -q --bare part part.git
  git init -q app && printf 'FROM busybox\nCOPY . /app\nRUN cat /app/part/file\nADD https://%s/part.git /added\nRUN cat /added/file\n' "$open_server" > app/Dockerfile
  git -C app submodule --quiet add -b main ../part.git part
  git -C app add . && git -C app commit -qm app && git clone -q --bare app app.git
)
git_context() { # git_context VARIANT
  pod runtime-default "$1" --bind "$WORK/ca.pem:/kaniko/ssl/certs/ca.pem:ro" --env GIT_TOKEN=tok -- --context "git://$SERVER/app.git#refs/heads/main" \
    --git recurse-submodules=true --no-push --registry-map "docker.io=$REGISTRY"
}
for variant in executor slim; do check "$variant: a git context" git_context "$variant"; done
{ cat "$WORK/dockerfiles/19-hostile-root" && printf 'ADD https://%s/part.git /added\nRUN cat /added/file\n' "$open_server"; } > "$WORK/dockerfiles/hostile-git"
check "git among hostile files" in_pod '/kaniko/executor -f /dockerfiles/hostile-git --no-push --registry-map docker.io='"$REGISTRY"'; test ! -e /results/hijacked' \
  --bind "$WORK/ca.pem:/kaniko/ssl/certs/ca.pem:ro"

# The same by ssh, with keys as a secret at /root/.ssh, in the container's own root, or in an agent.
ssh_directory="$WORK/ssh"
mkdir -p "$ssh_directory"/{server/.ssh,keys,empty}
chmod 700 "$ssh_directory"/server{,/.ssh}
dropbearkey -t ed25519 -f "$ssh_directory/host" > /dev/null 2>&1
ssh-keygen -q -t ed25519 -N "" -f "$ssh_directory/keys/id_ed25519"
cp "$ssh_directory/keys/id_ed25519.pub" "$ssh_directory/server/.ssh/authorized_keys"
ssh_port=$(free_port)
unshare -m bash -c "mount --bind '$ssh_directory/server' /root && exec dropbear -F -E -s -m -P '' -r '$ssh_directory/host' -p 127.0.0.1:$ssh_port" \
  > "$WORK/ssh.log" 2>&1 &
git_pids+=($!)
wait_for_port "$ssh_port"
dropbearkey -y -f "$ssh_directory/host" | sed -n "s/^\\(ssh-[^ ]* [^ ]*\\).*/[127.0.0.1]:$ssh_port \\1/p" > "$ssh_directory/keys/known_hosts"
repository="ssh://root@127.0.0.1:$ssh_port$WORK/repositories/part.git"
printf 'FROM busybox\nCOPY . /app\nRUN cat /app/file\n' > "$WORK/dockerfiles/ssh-context"
printf 'FROM busybox\nRUN test ! -e /root/.ssh && mkdir /root/.ssh && echo mine > /root/.ssh/mine\nADD %s /added\nRUN cat /added/file /root/.ssh/mine && test ! -e /root/.ssh/id_ed25519\n' \
  "$repository" > "$WORK/dockerfiles/ssh-add"
ssh_context() { # ssh_context VARIANT
  pod runtime-default "$1" --bind "$ssh_directory/keys:/root/.ssh:ro" --bind "$WORK/dockerfiles:/dockerfiles:ro" -- \
    --context "$repository#refs/heads/main" --dockerfile /dockerfiles/ssh-context --no-push --registry-map "docker.io=$REGISTRY"
}
for variant in executor slim; do check "$variant: a context by ssh" ssh_context "$variant"; done
keys='mkdir -p -m 700 /root/.ssh; cp /keys/* /root/.ssh; chmod 600 /root/.ssh/*'
ssh_add='/kaniko/executor -f /dockerfiles/ssh-add --no-push --tar-path /results/image.tar --registry-map docker.io='"$REGISTRY"
check "ADD by ssh, keys in the container" in_pod "$keys; $ssh_add; test -e /root/.ssh/id_ed25519; test ! -e /root/.ssh/mine" --bind "$ssh_directory/keys:/keys:ro"
check "keys are in no layer" bash -c "tar -xOf '$WORK/results/image.tar' --wildcards '*.tar.gz' | tar -tzi > '$WORK/names' && grep -qx root/.ssh/mine '$WORK/names' && ! grep id_ed '$WORK/names'"
check "an unknown host is trusted with a warning" in_pod "$keys; rm /root/.ssh/known_hosts; $ssh_add > /results/log 2>&1" --bind "$ssh_directory/keys:/keys:ro"
check "... that says so" says "whatever key the host shows is trusted" "$WORK/results/log"
check "a wrong host key is refused" in_pod "$keys; sed -i 's/AAAAI./AAAAIx/;s/.\\{6\\}\$/AAAAAA/' /root/.ssh/known_hosts; ! $ssh_add > /results/log 2>&1" --bind "$ssh_directory/keys:/keys:ro"
check "... with what to do" says "Host key verification failed.*ssh-keyscan" "$WORK/results/log"
check "no key is refused" in_pod "! $ssh_add > /results/log 2>&1"
check "... with what to do" says "Permission denied \\(publickey\\).*--ssh default" "$WORK/results/log"
eval "$(ssh-agent -a "$ssh_directory/agent" | grep -v echo)"
git_pids+=("$SSH_AGENT_PID")
ssh-add -q "$ssh_directory/keys/id_ed25519" 2> /dev/null
unset SSH_AUTH_SOCK
check "ADD by ssh with an agent" in_pod "$ssh_add --ssh default=/agent" --bind "$ssh_directory/agent:/agent"
{ cat "$WORK/dockerfiles/19-hostile-root" && printf 'ADD %s /added\nRUN cat /added/file\n' "$repository"; } > "$WORK/dockerfiles/hostile-ssh"
check "ssh among hostile files" in_pod '/kaniko/executor -f /dockerfiles/hostile-ssh --no-push --registry-map docker.io='"$REGISTRY"'; test ! -e /results/hijacked' \
  --bind "$ssh_directory/keys:/root/.ssh:ro"

# Full disks: the executor ends with a text that says which, and the next build works.
printf 'FROM busybox\nRUN dd if=/dev/zero of=/big bs=1M count=400\n' > "$WORK/dockerfiles/fills"
check "a RUN that fills the disk" in_pod 'code=0; /kaniko/executor -f /dockerfiles/fills --no-push --registry-map docker.io='"$REGISTRY"' > /results/log 2>&1 || code=$?; test $code != 0; build' --root-size 100000000
check "is told" says "No space left on device" "$WORK/results/log"
head -c 60000000 /dev/urandom > "$WORK/context/large"
printf 'FROM busybox\nCOPY large /large\nRUN true\n' > "$WORK/dockerfiles/large"
check "a COPY that does not fit" in_pod 'code=0; /kaniko/executor -f /dockerfiles/large --no-push --registry-map docker.io='"$REGISTRY"' > /results/log 2>&1 || code=$?; test $code != 0; build' --root-size 50000000
check "is told with the room that is left" says "No space left on device.*MB left of.*emptyDir" "$WORK/results/log"

# Much data in the 256 MiB of a container: a file of 3 GB from the context, 1 GB and a sparse file of 3 GB that a RUN writes.
large_data() {
  mkdir -p "$WORK/much"
  openssl enc -aes-128-ctr -pass pass:x -nosalt < /dev/zero 2> /dev/null | head -c 3000000000 > "$WORK/much/data" || true
  printf 'FROM busybox\nCOPY data /data\nRUN dd if=/data of=/copy bs=1M count=1000 && dd if=/dev/zero of=/sparse bs=1 count=0 seek=3G && rm /data\n' > "$WORK/much/Dockerfile"
  rm -rf "$WORK"/results/*
  WORKSPACE="$WORK/much" pod memory executor -- -d "$REGISTRY/t/much:v1" --registry-map "docker.io=$REGISTRY" --log-format json > "$WORK/much.log" 2>&1 || { cat "$WORK/much.log"; return 1; }
}
# Of layer N (from 0) of that image, the file NAME.
file_of_layer() {
  local digest
  digest=$(skopeo inspect --raw --tls-verify=false "docker://$REGISTRY/t/much:v1" | jq -r ".layers[$1].digest")
  curl -s "http://$REGISTRY/v2/t/much/blobs/$digest" | gzip -dc | tar -xO "$2" | sha256sum
}
if [ "$form" = large ]; then
  check "3 GB in a container of 256 MiB" large_data
  check "... kiln stays below half of it" bash -c "jq -s -e 'map(select(.event == \"memory\"))[0].peak_bytes < 134217728' '$WORK/much.log'"
  check "... the file of the context" same "$(file_of_layer 1 data)" "$(sha256sum < "$WORK/much/data")"
  check "... what RUN wrote" same "$(file_of_layer 2 copy)" "$(head -c 1048576000 "$WORK/much/data" | sha256sum)"
  check "... the sparse file" same "$(file_of_layer 2 sparse)" "$(head -c 3221225472 /dev/zero | sha256sum)"
  rm -rf "$WORK/much"
fi

# The pod manifests, against Kubernetes' schemas: npm packages, installed once for a build directory.
mkdir -p "$build/npm"
cp "$here/pod/package.json" "$here/pod/package-lock.json" "$build/npm"
[ "$build/npm/node_modules/.package-lock.json" -nt "$here/pod/package-lock.json" ] ||
  check "packages with Kubernetes' schemas" npm ci --prefix "$build/npm" --no-audit --no-fund
manifests() { "$here/pod/check_manifests" "$build/executor" "$build/npm" "$@"; }
check "manifests" manifests "$here"/../../tools/pod/*.y*ml "$here/../../tools/pod/Jenkinsfile"
# refuses SED-EXPRESSION TEXT: pod.yaml with that change is refused with that text.
refuses() {
  sed "$1" "$here/../../tools/pod/pod.yaml" > "$WORK/pod.yaml"
  ! manifests "$WORK/pod.yaml" > "$WORK/log" 2>&1 && says "$2" "$WORK/log"
}
check "an unknown field is found" refuses 's/mountPath: .workspace/mountPth: x/' "mountPth.*does not exist in type 'IVolumeMount'"
check "a value of the wrong type is found" refuses 's/restartPolicy: Never/restartPolicy: 5/' "data/spec/restartPolicy must be string"

echo "e2e pods: $passed passed, $failed failed"
[ "$failed" = 0 ]
