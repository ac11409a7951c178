#!/bin/sh
# Installs what the tests need beyond PyPI and npm, where that is possible without asking: as root
# on Debian, which is what a container or CI is. Elsewhere the tests use what is there, skip the
# rest and say so. This never fails: the tests report what is missing.
set -eu

packages=""
command -v chromium-headless-shell >/dev/null 2>&1 ||
    packages="$packages chromium-headless-shell fonts-liberation"
[ -n "$packages" ] || exit 0

debian=$(. /etc/os-release 2>/dev/null && echo "${ID:-}") || debian=""
if [ "$debian" != debian ] || [ "$(id -u)" != 0 ]; then
    command -v chromium >/dev/null 2>&1 ||
        echo "Not installing$packages: only as root on Debian. Tests may be skipped." >&2
    exit 0
fi

echo "Installing with apt:$packages ..."
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086  # a list of names
if ! { apt-get update -qq &&
    apt-get install -y -qq --no-install-recommends $packages </dev/null >/dev/null; }; then
    echo "apt could not install$packages. Tests that need them will be skipped." >&2
fi
