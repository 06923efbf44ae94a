# suite.sh - what every suite begins with; sourced.
# shellcheck shell=bash
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export LIFEOS_BUILD=${LIFEOS_BUILD:-$PWD/build}
[ ! -x tests/contract/node_modules/node/bin/node ] || PATH=$PWD/tests/contract/node_modules/node/bin:$PATH

# Settings under which the tests can wait for a deadline to pass.
# shellcheck disable=SC2034
short_waits='--set sse_stall_seconds=5 --set turn_first_seconds=3 --set turn_gap_seconds=3 --set turn_seconds=8 --set openclaw_test_seconds=2'

# passed, failed, skipped of some cases
report() { echo "$1 $2 ${3:-0}" >>"${LIFEOS_RESULT:-/dev/stderr}"; }
# One case: a name and a command.
check() {
  local name=$1
  shift
  if "$@"; then echo "ok   $name"; report 1 0
  else echo "FAIL $name"; report 0 1; fi
}
skip() { echo "$*"; exit 77; }

# configure FOLDER OPTIONS...: a meson build folder, made once, brought up to date.
configure() {
  local folder=$1
  shift
  [ -f "$folder/build.ninja" ] || meson setup "$folder" "$@"
  ninja -C "$folder" --quiet
}

# meson_tests FOLDER ARGS...: runs and counts them.
meson_tests() {
  local folder=$1 out rc=0
  shift
  out=$(meson test -C "$folder" --no-rebuild --print-errorlogs "$@" 2>&1) || rc=$?
  echo "$out"
  report "$(sed -n 's/^Ok: *//p' <<<"$out")" \
    "$(($(sed -n 's/^Fail: *//p' <<<"$out") + $(sed -n 's/^Timeout: *//p' <<<"$out")))" \
    "$(sed -n 's/^Skipped: *//p' <<<"$out")"
  return $rc
}

# node_tests FILES...: node's own runner, one file at a time so that they do not share load, counted. A file may take
# $test_timeout ms.
node_tests() {
  local out rc=0 flags=()
  # Node 20 and 21 have the browser's WebSocket only when asked.
  ! node --experimental-websocket -e 0 2>/dev/null || flags+=(--experimental-websocket)
  out=$(node "${flags[@]}" --test --test-concurrency=1 --test-timeout="${test_timeout:-180000}" --test-reporter=spec "$@" 2>&1) || rc=$?
  echo "$out"
  local -r sign='^(# |ℹ )'
  report "$(sed -nE "s/${sign}pass //p" <<<"$out")" \
    "$(($(sed -nE "s/${sign}fail //p" <<<"$out") + $(sed -nE "s/${sign}cancelled //p" <<<"$out")))" \
    "$(sed -nE "s/${sign}skipped //p" <<<"$out")"
  [ $rc = 0 ] || broken=$(sed -n '/failing tests:/,$p' <<<"$out" | head -n 40)
  return $rc
}
broken='' # what node_tests found, told once more behind the daemons' logs

# with_stack COMMAND...: a fresh stack around it; its logs are printed if the command fails.
with_stack() {
  local dir rc=0
  dir=$(mktemp -d /tmp/lifeos-stack.XXXXXX)
  rmdir "$dir"
  # shellcheck disable=SC1090,SC2086
  source "$(tests/stack up --dir "$dir" ${STACK_OPTIONS:-})"
  "$@" || rc=$?
  [ $rc = 0 ] || { tests/stack logs --dir "$dir" | tail -n 80; echo "$broken"; }
  tests/stack down --dir "$dir"
  return $rc
}
