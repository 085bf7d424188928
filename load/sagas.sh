#!/usr/bin/env bash
# Sagas of two steps a second, beside single appends on the same service, in turns: a saga is seven appends in five commits. Promised: 0.2 sagas
# for each append that the same 64 connections get through.
#
#   load/sagas.sh [--quick]
#
#   --quick   2 rounds of 3 s, to see that it works; its figures are not to be quoted
#
# Needs wrk (Debian, Ubuntu: apt-get install wrk), curl and the .NET SDK. LOAD_DATA names the directory for the data.
set -euo pipefail
cd "$(dirname "$0")"
. ./service.sh

rounds=5 seconds=8
case "${1:-}" in
  '') ;;
  --quick) rounds=2 seconds=3 ;;
  *) usage ;;
esac
needs_wrk

service=http://127.0.0.1:${PORT:-19094}
export ENTITIES=10000 RUN
build
start service "$service"

run=0
turn() { # script, seconds
  RUN=r$((++run))
  measure "$service" "$1" 64 "$2"
}

ratios='' rates=''
turn append-single 3 # warm: compiled, connected, its entities there
turn sagas 4
for ((round = 1; round <= rounds; round++)); do
  turn append-single "$seconds"
  appends=$rate
  turn sagas "$seconds"
  ratios+=" $(ratio "$rate" "$appends")" rates+=" $rate"
  echo "  round $round: $appends appends/s, $rate sagas/s, ratio $(ratio "$rate" "$appends"); sagas p50 $(value p50_ms) ms, p99 $(value p99_ms) ms"
done
# What was committed is told by the service itself, which answers 200 to a saga that was undone, too.
curl -fsS "$service/metrics" | grep -E '^warp_sagas_(ended|started)' | sed 's/^/  /'
echo "sagas of two steps, 64 connections: median $(median <<<"$rates")/s, ratio $(median <<<"$ratios") (promised: 0.2)"
finish
