# Sourced by demo.sh and test.sh: what both need of a fresh Debian 12.
cd "$(dirname "${BASH_SOURCE[0]}")/.."
die() { echo "error: $*" >&2; exit 1; }

# install PACKAGE…: those that are missing, as root or through sudo.
install() {
  local missing=() as=
  for p in "$@"; do dpkg -s "$p" >/dev/null 2>&1 || missing+=("$p"); done
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null || die "these packages are missing and there is no apt-get to install them: ${missing[*]}"
  [ "$(id -u)" = 0 ] || { command -v sudo >/dev/null && as=sudo; } || die "run as root or with sudo to install: ${missing[*]}"
  echo "== installing ${#missing[@]} packages: ${missing[*]}"
  $as apt-get update -qq || die "apt-get update failed; is the network there?"
  $as env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null || die "apt-get could not install ${missing[*]}"
}
build_packages=(g++ cmake ninja-build pkg-config ccache libfmt-dev libsimdjson-dev libpcre2-dev libutf8proc-dev libcli11-dev nlohmann-json3-dev)

# build PRESET FOLDER [CMAKE_OPTION…]: configures and builds one of CMakePresets.json (all of it, or $targets), says how long it took.
build() {
  local preset=$1 folder=$2 begin=$SECONDS
  shift 2
  echo "== building preset $preset in $folder"
  cmake --preset "$preset" "$@" >"/tmp/mainspring-configure-$preset.log" 2>&1 || { tail -20 "/tmp/mainspring-configure-$preset.log"; die "cmake could not configure preset $preset"; }
  local quiet=--quiet
  [ ! -t 1 ] || quiet=  # a terminal gets ninja's progress line
  cmake --build "$folder" -j "$(nproc)" ${targets:+--target $targets} -- $quiet || die "preset $preset does not build"
  echo "== built in $((SECONDS - begin)) s"
}
