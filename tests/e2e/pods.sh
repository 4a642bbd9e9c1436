#!/usr/bin/env bash
# The executor image, built by kiln, in containers with the rights of different pods: the same Dockerfiles must give the same images
# everywhere, or be refused with a text that says why. Usage: tests/e2e/pods.sh BUILD-DIRECTORY [short]
# All builds of a profile run one after another in one container, a failing one between them.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
form=${2:-full}
WORK=$(mktemp -d /var/tmp/kiln-e2e-pods.XXXXXX)
registry_pid=
trap '[ -z "$registry_pid" ] || kill "$registry_pid" 2> /dev/null; rm -rf "$WORK"' EXIT
source "$here/lib.sh"
export KILN_FOREGROUND_CLEANUP=1
chmod 755 "$WORK"
start_registry "$WORK"
busybox_tar "$WORK/busybox.tar"
layout_from_tar "$WORK/busybox.tar" "$WORK/busybox"
skopeo copy --quiet --dest-tls-verify=false "oci:$WORK/busybox:latest" "docker://$REGISTRY/library/busybox:latest"

# The images, as a node unpacks them.
KILN=$build "$here/../../tools/build-image" --oci "$WORK/images" > "$WORK/images.log" 2>&1 || { cat "$WORK/images.log"; exit 1; }
for variant in executor debug slim warmer; do
  skopeo copy --quiet "oci:$WORK/images/$variant" "oci:$WORK/tagged:$variant"
  umoci unpack --image "$WORK/tagged:$variant" "$WORK/$variant" > /dev/null 2>&1
  skopeo inspect --config --raw "oci:$WORK/images/$variant" > "$WORK/$variant.json"
done
# pod PROFILE VARIANT OPTIONS... [-- COMMAND...]
pod() {
  timeout 600 "$here/pod/run_in_pod" --profile "$1" --rootfs "$WORK/$2/rootfs" --image-config "$WORK/$2.json" --env container=pod \
    --env KILN_FOREGROUND_CLEANUP=1 --bind "$WORK/context:/workspace:ro" --bind "$WORK/results:/results" "${@:3}"
}

# A context, and things that a program must not load from the root it finds itself in.
mkdir -p "$WORK/context/dir/deep" "$WORK"/context/hostile/{etc/ssl,usr/lib/ssl,usr/lib/x86_64-linux-gnu/gconv} "$WORK/results"
chmod 777 "$WORK/results"
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
echo 'module UTF-16// INTERNAL /hijack 1' > hostile/usr/lib/x86_64-linux-gnu/gconv/gconv-modules
find . -exec touch -h -d '2024-03-04 05:06:07 UTC' {} +

if [ "$form" = short ]; then
  profiles="runtime-default unset crio restricted"
  files=(01-copy-only 04-stages 05-mounted-files 15-removes-lib 19-hostile-root)
else
  profiles="runtime-default unset crio userns restricted readonly memory"
  mapfile -t files < <(cd "$here/pod/dockerfiles" && ls)
fi
cp -r "$here/pod/dockerfiles" "$WORK/dockerfiles"
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

echo "e2e pods: $passed passed, $failed failed"
[ "$failed" = 0 ]
