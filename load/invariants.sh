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

rounds=5 seconds=8
case "${1:-}" in
  '') ;;
  --quick) rounds=2 seconds=3 ;;
  *) sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
command -v wrk >/dev/null || { echo 'wrk is missing. On Debian and Ubuntu: apt-get install wrk' >&2; exit 2; }

service=http://127.0.0.1:19092
export WRK_THREADS=2 ENTITIES=1000 AGGREGATE EVENTS
work=$(mktemp -d ${LOAD_DATA:+-p "$LOAD_DATA"})
pid=
stop() {
  [ -z "$pid" ] || { kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || true; }
  rm -rf "$work"
}
trap stop EXIT

dotnet build -c Release ../Warp.Http -v quiet -nologo
assembly=$PWD/../Warp.Http/bin/Release/net10.0/Warp.Http.dll
(cd "$work" && ASPNETCORE_URLS=$service Warp__DataDirectory=$work/data exec dotnet "$assembly") >"$work/log" 2>&1 &
pid=$!
tries=0
until curl -fsS -o /dev/null $service/health/ready 2>/dev/null; do
  ((++tries <= 150)) || { echo 'the service does not answer:' >&2; cat "$work/log" >&2; exit 1; }
  sleep 0.2
done

fold='"initial":{"balance":0,"count":0},"on":{"Credited":{"balance":"state.balance + payload.amount","count":"state.count + 1"}}'
put() { curl -fsS -o /dev/null -X PUT -H 'Content-Type: application/json' -d "{$fold$2}" "$service/v1/aggregates/$1"; }
put Free ''
put Ruled ',"invariants":[{"rule":"state.balance >= 0","message":"insufficient funds"},{"rule":"state.count < 1000000000","message":"too many"}]'

bad=0
measure() { # aggregate, events a request, connections, seconds; sets rate
  AGGREGATE=$1 EVENTS=$2
  wrk -t$WRK_THREADS -c"$3" -d"$4s" --timeout 10s -s append-invariants.lua $service >"$work/wrk.out"
  result=$(sed -n 's/^RESULT //p' "$work/wrk.out")
  rate=$(awk -v n="$(value requests)" -v s="$(value seconds)" 'BEGIN { printf "%.0f", n / s }')
  local refused=$(($(value failed) + $(value broken)))
  if ((refused > 0)); then bad=$((bad + refused)); echo "  $refused requests failed: $result" >&2; fi
}
value() { sed -n "s/.*\b$1=\([0-9.]*\).*/\1/p" <<<"$result"; }
median() { tr ' ' '\n' | sed '/^$/d' | sort -n | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

compare() { # title, events a request, connections, promised
  local ratios='' free ratio round
  measure Free "$2" "$3" 2 # warm: compiled, connected, its entities there
  measure Ruled "$2" "$3" 2
  for ((round = 1; round <= rounds; round++)); do
    measure Free "$2" "$3" "$seconds"
    free=$rate
    measure Ruled "$2" "$3" "$seconds"
    ratio=$(awk -v a="$rate" -v b="$free" 'BEGIN { printf "%.3f", a / b }')
    ratios+=" $ratio"
    echo "  $1, round $round: without $free/s, with $rate/s, ratio $ratio; p99 $(value p99_ms) ms"
  done
  echo "$1: median ratio $(median <<<"$ratios") (promised: $4)"
}
compare 'single appends' 1 200 0.9
compare 'batches of 500' 500 16 0.5
((bad == 0)) || { echo "$bad requests failed: these figures are not a measurement" >&2; exit 1; }
