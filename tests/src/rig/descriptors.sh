# Runs a command with N further descriptors open, 3 and up, without close-on-exec:
#   descriptors.sh N PATH COMMAND …
count=$1 path=$2
shift 2
for ((n = 3; n < 3 + count; n++)); do
    eval "exec $n<\"\$path\"" || exit 125
done
exec "$@"
