# Runs a command with a few files of the host replaced, in this private mount namespace only:
#   view.sh SOURCE TARGET … -- COMMAND …
while [ "$1" != "--" ]; do
    mount --bind "$1" "$2" || exit 125
    shift 2
done
shift
exec "$@"
