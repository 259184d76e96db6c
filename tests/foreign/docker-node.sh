# A dockerd of its own: in its own mount and pid namespace, so that the end of this process is the end
# of everything that it started, with everything that it keeps below one directory.
#   docker-node.sh HOME CGROUP_PARENT RUNTIME
set -e
home=$1 parent=$2 runtime=$3
mount --make-rprivate /
mount -t proc proc /proc
mount -t tmpfs tmpfs /run
exec dockerd --bridge=none --iptables=false --ip-forward=false --storage-driver vfs \
    --data-root "$home/data" --exec-root /run/docker-node --pidfile /run/docker-node.pid \
    --host "unix://$home/sock" --cgroup-parent "$parent" \
    --add-runtime "tested=$runtime" --default-runtime tested
