# Shared by the tests that run kiln's images in containers; sourced after lib.sh with a registry running. Bases in that registry, kiln's
# images unpacked, and containers of them.

# Bases without libraries, with musl's loader and with glibc's, whose /lib is a link as in Debian.
glibc_tar() {
  local root=$WORK/glibc-root
  mkdir -p "$root"/{usr/bin,usr/lib/x86_64-linux-gnu,usr/lib64,etc}
  ln -s usr/bin usr/lib usr/lib64 "$root"
  cp /bin/dash "$root/bin/sh"
  cp -L /lib/x86_64-linux-gnu/libc.so.6 "$root/lib/x86_64-linux-gnu/"
  cp -L /lib64/ld-linux-x86-64.so.2 "$root/lib64/"
  echo root:x:0:0:root:/root:/bin/sh > "$root/etc/passwd"
  tar -C "$root" --mtime=2024-01-02 -cf "$1" .
}
busybox_tar "$WORK/busybox.tar"
glibc_tar "$WORK/glibc.tar"
[ -f "$build/musl-base.tar" ] || "$here/pod/musl_base" "$build/musl-base.tar" > "$WORK/musl.log" 2>&1 || { cat "$WORK/musl.log"; exit 1; }
cp "$build/musl-base.tar" "$WORK/musl.tar"
# As nearly every base has it: /var/run is a link to /run. And a usr-merged /lib, where pods may have mounts below /lib.
linked_tar() {
  mkdir -p "$WORK/linked/run" "$WORK/linked/var" "$WORK/linked/usr/lib"
  ln -s /run "$WORK/linked/var/run"
  ln -s usr/lib "$WORK/linked/lib"
  echo base > "$WORK/linked/usr/lib/base"
  cp "$WORK/busybox.tar" "$1"
  tar -C "$WORK/linked" --numeric-owner --owner=0 --group=0 --mtime='2024-01-02 03:04:05 UTC' -rf "$1" run var usr/lib lib
}
linked_tar "$WORK/linked.tar"
for base in busybox musl glibc linked; do
  layout_from_tar "$WORK/$base.tar" "$WORK/$base"
  skopeo copy --quiet --dest-tls-verify=false "oci:$WORK/$base:latest" "docker://$REGISTRY/library/$base:latest"
done

mkdir -p "$WORK/context" "$WORK/results" "$WORK/dockerfiles"
chmod 777 "$WORK/results"

# The images, as a node unpacks them.
KILN=$build "$here/../../tools/build-image" --oci "$WORK/images" > "$WORK/images.log" 2>&1 || { cat "$WORK/images.log"; exit 1; }
for variant in executor debug slim warmer; do
  skopeo copy --quiet "oci:$WORK/images/$variant" "oci:$WORK/tagged:$variant"
  umoci unpack --image "$WORK/tagged:$variant" "$WORK/$variant" > /dev/null 2>&1
  skopeo inspect --config --raw "oci:$WORK/images/$variant" > "$WORK/$variant.json"
done
# pod PROFILE VARIANT OPTIONS... [-- COMMAND...]: with $WORKSPACE, or the test's context, in /workspace.
pod() {
  timeout 600 "$here/pod/run_in_pod" --profile "$1" --rootfs "$WORK/$2/rootfs" --image-config "$WORK/$2.json" --env container=pod \
    --env KILN_FOREGROUND_CLEANUP=1 --bind "${WORKSPACE:-$WORK/context}:/workspace:ro" --bind "$WORK/results:/results" "${@:3}"
}

says() { grep -qzE -- "$1" "$2" || { cat "$2"; return 1; }; }
# in_pod SCRIPT [OPTIONS...]: a shell script in the debug image in which `build` builds 03-run.
in_pod() {
  rm -rf "$WORK"/results/*
  cat > "$WORK/results/script" <<SCRIPT
build() { /kaniko/executor -f /dockerfiles/03-run -d "$REGISTRY/t/03-run:again" --registry-map docker.io=$REGISTRY --reproducible --digest-file /results/digest "\$@"; }
$1
SCRIPT
  pod runtime-default debug --entrypoint "" --bind "$WORK/dockerfiles:/dockerfiles:ro" "${@:2}" -- /busybox/sh -e /results/script
}
