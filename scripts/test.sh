#!/usr/bin/env bash
# Installs what is missing (Debian 12, root or sudo), builds and runs the test suite. Can be run again.
set -euo pipefail
cd "$(dirname "$0")/.."
packages=(g++ cmake ninja-build pkg-config libfmt-dev libsimdjson-dev libpcre2-dev libutf8proc-dev libgtest-dev)
missing=()
for p in "${packages[@]}"; do dpkg -s "$p" >/dev/null 2>&1 || missing+=("$p"); done
if [ ${#missing[@]} -gt 0 ]; then
  echo "installing: ${missing[*]}"
  as=; [ "$(id -u)" = 0 ] || as=sudo
  $as apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $as apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
echo "building"
cmake --preset release >/dev/null
cmake --build build -j "$(nproc)"
echo "testing"
ctest --test-dir build --output-on-failure
