#!/usr/bin/env bash
# Install what the demo or the tests need on this machine: Debian packages and a virtual environment. What only
# `make bench`, `make fuzz` or `make lint` needs goes into an environment of its own, beside that of the tests.
# Usage: setup.sh demo|test|bench|fuzz|checkov. Does nothing, quickly, when everything is there already.
set -euo pipefail
cd "$(dirname "$0")"

group=${1:?usage: setup.sh demo|test|bench|fuzz|checkov}
python=${PYTHON:-python3}
venv=.venv
case $group in bench | fuzz | checkov) venv=build/venv-$group ;; esac
packages=(podman crun netavark aardvark-dns uidmap mmdebstrap iproute2 iptables nftables apt-utils
  dpkg-dev gpg gpg-agent gpgv e2fsprogs openssl procps ca-certificates)
[ "$group" = test ] && packages+=(chromium fonts-dejavu-core libatomic1)

die() { echo "setup: $*" >&2; exit 1; }
step() { printf '%-52s' "$1"; started=$SECONDS; }
ended() { printf '%4d s\n' $((SECONDS - started)); }

command -v apt-get >/dev/null || die "this needs Debian (apt-get is missing)"
command -v "$python" >/dev/null || die "$python is missing: apt-get install python3 python3-venv"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
  || die "$("$python" --version) is too old: Python 3.11 or newer is needed"
"$python" -c 'import ensurepip, venv' 2>/dev/null \
  || die "$python has no venv: apt-get install python3-venv"
as_root=()
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || die "root rights are needed: run as root, or install sudo"
  as_root=(sudo)
fi
mkdir -p build

missing=()
for package in "${packages[@]}"; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  step "Install ${#missing[@]} Debian packages"
  {
    "${as_root[@]}" apt-get -q update
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
      apt-get -q install --no-install-recommends -y "${missing[@]}"
  } </dev/null >build/setup-apt.log 2>&1 \
    || die "apt-get failed for: ${missing[*]} (is there a network? see build/setup-apt.log)"
  ended
fi

# The stamp holds the hash of the lock file, so a changed lock installs again and a standing one costs nothing.
lock=requirements/$group.lock
stamp=$venv/.$group.sha256
if ! sha256sum --status --check "$stamp" 2>/dev/null; then
  # What the tests need includes what the demo needs.
  if [ "$group" = demo ] && sha256sum --status --check "$venv/.test.sha256" 2>/dev/null; then exit 0; fi
  step "Install Python packages ($lock)"
  {
    [ -x "$venv/bin/pip" ] || "$python" -m venv --clear "$venv"
    "$venv/bin/python" -m pip install --disable-pip-version-check --require-hashes -r "$lock"
  } </dev/null >build/setup-pip.log 2>&1 \
    || die "the Python packages could not be installed (is there a network? see build/setup-pip.log)"
  sha256sum "$lock" >"$stamp"
  ended
fi
