#!/bin/sh
# Run tiepoint; `app` listens on the port of the container, and its page may open the images in /data.
set -eu

if [ "${1-}" = app ]; then
    shift
    set -- app --host 0.0.0.0 --root "${TIEPOINT_ROOT:-/data}" "$@"
fi
exec tiepoint "$@"
