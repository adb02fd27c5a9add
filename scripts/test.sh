#!/usr/bin/env bash
# Installs what is missing (Debian 12, root or sudo), builds, runs the whole test suite in release. Can be run again.
#   scripts/test.sh                 release: fast and full tests
#   scripts/test.sh --fast          release: tests with the label fast
#   scripts/test.sh --lanes         release, then asan, tsan, clang, isa-emulated and fuzz
#   scripts/test.sh --lane NAME     one lane alone
set -euo pipefail
. "$(dirname "$0")/common.sh"

test_packages=(libgtest-dev libbenchmark-dev python3 binutils)
run() {  # run FOLDER CTEST_OPTION…: side by side, as no test measures how long something takes
  local begin=$SECONDS
  echo "== testing $1"
  ctest --test-dir "$@" -j "$(nproc)" --output-on-failure --no-tests=error || die "tests fail in $1"
  echo "== tested in $((SECONDS - begin)) s"
}
lane() {
  case $1 in
    release) install "${build_packages[@]}" "${test_packages[@]}"; build release build; run build "${@:2}" ;;
    asan) install "${build_packages[@]}" "${test_packages[@]}"; build asan build-asan; run build-asan ;;
    tsan)  # the rooms where threads meet: the pool, packing, steps; other tests have one thread
      install "${build_packages[@]}" "${test_packages[@]}"
      targets="test_core test_plan test_runtime" build tsan build-tsan
      run build-tsan -R '^(core|plan|runtime)$' ;;
    clang) install "${build_packages[@]}" "${test_packages[@]}" clang-14; build clang build-clang; run build-clang ;;
    isa-emulated) install "${build_packages[@]}" "${test_packages[@]}" libsimde-dev; build isa-emulated build-isa-emulated; run build-isa-emulated -L isa ;;
    fuzz) install "${build_packages[@]}" "${test_packages[@]}" clang-14; build fuzz build-fuzz; run build-fuzz -L fuzz ;;
    *) die "there is no lane '$1', expected release, asan, tsan, clang, isa-emulated or fuzz" ;;
  esac
}
case ${1:-} in
  "") lane release ;;
  --fast) lane release -L fast ;;
  --lanes) for l in release asan tsan clang isa-emulated fuzz; do lane $l; done ;;
  --lane) lane "${2:?--lane needs a name}" ;;
  --help | -h) sed -n '2,6s/^# *//p' "$0" ;;
  *) die "unknown option '$1', see scripts/test.sh --help" ;;
esac
