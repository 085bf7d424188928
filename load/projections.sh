#!/usr/bin/env bash
# What tables cost, and how far they lag: appends to a service that projects the balances of its 10,000 entities against appends to one without a
# projection, in turns on the same disk; then the lag of the table under some 5,000 single appends a second. Promised: 0.85 of the appends
# without, and a lag of 250 ms at the 99th percentile.
#
#   load/projections.sh [--quick]
#
#   --quick   2 rounds of 3 s, to see that it works; its figures are not to be quoted
#
# The lag is what the service says of it each 50 ms: how old the oldest event can be that is not in the table.
# Needs wrk (Debian, Ubuntu: apt-get install wrk), curl and the .NET SDK. LOAD_DATA names the directory for the data, PORT the first of two ports.
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

port=${PORT:-19096}
plain=http://127.0.0.1:$port tables=http://127.0.0.1:$((port + 1))
export ENTITIES=10000
build
start plain "$plain"
start tables "$tables"
for url in "$plain" "$tables"; do
  put "$url/v1/aggregates/Account" '{"initial":{"balance":0},"on":{"Credited":{"balance":"state.balance + payload.amount"}},"defaultForKind":"user"}'
done
put "$tables/v1/projections/accounts" '{"kind":"user","table":"accounts","columns":{"id":"entity.id","balance":"state.balance"},"types":{"balance":"REAL"},"indexes":[["balance"]]}'

lag() { # events|seconds
  curl -fsS "$tables/v1/projections/accounts" | sed -n "s/.*\"lag\":{[^}]*\"$1\":\([0-9.]*\).*/\1/p"
}
caught_up() { # or the next round would pay for this one
  local tries=0
  until [ "$(lag events)" = 0 ]; do
    ((++tries <= 600)) || { echo 'the table does not catch up' >&2; exit 1; }
    sleep 0.1
  done
}

compare() { # title, script, connections
  local ratios='' without round
  measure "$plain" "$2" "$3" 3 # warm: compiled, connected, its entities there
  measure "$tables" "$2" "$3" 3
  for ((round = 1; round <= rounds; round++)); do
    caught_up
    measure "$plain" "$2" "$3" "$seconds"
    without=$rate
    measure "$tables" "$2" "$3" "$seconds"
    ratios+=" $(ratio "$rate" "$without")"
    echo "  $1, round $round: without $without/s, with $rate/s, ratio $(ratio "$rate" "$without"); p99 $(value p99_ms) ms; $(lag events) events behind at its end"
  done
  caught_up
  echo "$1: median ratio $(median <<<"$ratios") (promised: 0.85)"
}
compare 'single appends' append-single 200
compare 'batches of 500' append-batch 16

p99s=''
for ((round = 1; round <= rounds; round++)); do
  caught_up
  load "$tables" append-steady 500 "$((seconds + 2))" &
  measuring=$!
  sleep 1 # until it goes steadily
  : >"$work/lags"
  while kill -0 "$measuring" 2>/dev/null; do
    echo "$(lag seconds)" >>"$work/lags" # a line each
    sleep 0.05
  done
  wait "$measuring"
  judge
  p99=$(awk '{ print $1 * 1000 }' "$work/lags" | percentile 99)
  p99s+=" $p99"
  echo "  lag, round $round: $rate appends/s, p50 $(awk '{ print $1 * 1000 }' "$work/lags" | percentile 50) ms, p99 $p99 ms of $(wc -l <"$work/lags") looks"
done
echo "lag under a steady load: median p99 $(median <<<"$p99s") ms (promised: 250)"
finish
