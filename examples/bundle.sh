#!/bin/sh
# A container from an OCI bundle, step by step: the root filesystem, its document, the plan, the run.
# Needs busybox (Debian: busybox-static) and dhow-runtime in PATH; run it as root or as anybody.
set -eu

bundle=$(mktemp -d)
trap 'rm -rf "$bundle"' EXIT
mkdir -p "$bundle/rootfs/bin"
cp "$(command -v busybox)" "$bundle/rootfs/bin/busybox"
for name in sh hostname id; do
    ln -s busybox "$bundle/rootfs/bin/$name"
done

# A template that runs; without a terminal, and with a program of our own.
rootless=$([ "$(id -u)" = 0 ] || echo --rootless)
dhow-runtime spec $rootless --bundle "$bundle"
sed -i 's/"terminal": true/"terminal": false/; s/"sh"/"sh", "-c", "echo I am user $(id -u) on $(hostname)"/' \
    "$bundle/config.json"

echo "What would be done:"
dhow-runtime plan --bundle "$bundle" | sed -n 's/^ *"what": "\(.*\)",$/  \1/p'

echo "And done:"
dhow-runtime --root "$bundle/state" run --bundle "$bundle" example
