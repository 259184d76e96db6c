#!/bin/sh
# The same program behind more and more walls. Needs dhow in PATH; no network, no image to fetch.
set -eu

echo "== as it comes"
dhow run --rm hello | grep -E 'capabilities|privileges|tasks'

echo "== without any capability, with at most 20 tasks where this user may limit them"
limit=$([ "$(id -u)" != 0 ] || echo --pids-limit=20)
dhow run --rm --cap-drop=ALL $limit hello | grep -E 'capabilities|privileges|tasks'

echo "== told step by step"
dhow run --rm --explain hello 2>&1 >/dev/null | head -n 5
