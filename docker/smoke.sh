#!/bin/sh
# Test an installation of tiepoint: version, self-test, and a real stereo pair; fails with the first command that fails.
#
#   docker/smoke.sh VENV
set -eu

tiepoint=$1/bin/tiepoint
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

"$tiepoint" --version
"$tiepoint" doctor
"$tiepoint" demo -o "$folder/matches.png"
test -s "$folder/matches.png"
