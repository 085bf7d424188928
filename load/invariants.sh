#!/usr/bin/env bash
# What rules cost: appends to an aggregate with invariants against appends to one that folds alike and has none, in turns on one service,
# so that a ratio is left where a rate alone would speak of the machine. Promised: 0.9 for single events, 0.5 for batches of 500.
#
#   load/invariants.sh [--quick]
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

service=http://127.0.0.1:${PORT:-19092}
export ENTITIES=1000 AGGREGATE EVENTS
build
start service "$service"

fold='"initial":{"balance":0,"count":0},"on":{"Credited":{"balance":"state.balance + payload.amount","count":"state.count + 1"}}'
put "$service/v1/aggregates/Free" "{$fold}"
put "$service/v1/aggregates/Ruled" "{$fold,"'"invariants":[{"rule":"state.balance >= 0","message":"insufficient funds"},{"rule":"state.count < 1000000000","message":"too many"}]}'

turn() { # aggregate, events a request, connections, seconds
  AGGREGATE=$1 EVENTS=$2
  measure "$service" append-invariants "$3" "$4"
}

compare() { # title, events a request, connections, promised
  local ratios='' free round
  turn Free "$2" "$3" 2 # warm: compiled, connected, its entities there
  turn Ruled "$2" "$3" 2
  for ((round = 1; round <= rounds; round++)); do
    turn Free "$2" "$3" "$seconds"
    free=$rate
    turn Ruled "$2" "$3" "$seconds"
    ratios+=" $(ratio "$rate" "$free")"
    echo "  $1, round $round: without $free/s, with $rate/s, ratio $(ratio "$rate" "$free"); p99 $(value p99_ms) ms"
  done
  echo "$1: median ratio $(median <<<"$ratios") (promised: $4)"
}
compare 'single appends' 1 200 0.9
compare 'batches of 500' 500 16 0.5
finish
