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

rounds=5 seconds=8
case "${1:-}" in
  '') ;;
  --quick) rounds=2 seconds=3 ;;
  *) sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
command -v wrk >/dev/null || { echo 'wrk is missing. On Debian and Ubuntu: apt-get install wrk' >&2; exit 2; }

service=http://127.0.0.1:${PORT:-19094} connections=64
export WRK_THREADS=2 ENTITIES=10000 RUN
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

bad=0
measure() { # script, seconds; sets rate
  RUN=r$((++run))
  wrk -t$WRK_THREADS -c$connections -d"$2s" --timeout 10s -s "$1.lua" $service >"$work/wrk.out"
  result=$(sed -n 's/^RESULT //p' "$work/wrk.out")
  rate=$(awk -v n="$(value requests)" -v s="$(value seconds)" 'BEGIN { printf "%.0f", n / s }')
  local refused=$(($(value failed) + $(value broken)))
  if ((refused > 0)); then bad=$((bad + refused)); echo "  $refused requests failed: $result" >&2; fi
}
value() { sed -n "s/.*\b$1=\([0-9.]*\).*/\1/p" <<<"$result"; }
median() { tr ' ' '\n' | sed '/^$/d' | sort -n | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

run=0 ratios='' rates=''
measure append-single 3 # warm: compiled, connected, its entities there
measure sagas 4
for ((round = 1; round <= rounds; round++)); do
  measure append-single "$seconds"
  appends=$rate
  measure sagas "$seconds"
  ratio=$(awk -v a="$rate" -v b="$appends" 'BEGIN { printf "%.3f", a / b }')
  ratios+=" $ratio" rates+=" $rate"
  echo "  round $round: $appends appends/s, $rate sagas/s, ratio $ratio; sagas p50 $(value p50_ms) ms, p99 $(value p99_ms) ms"
done
# What was committed is told by the service itself, which answers 200 to a saga that was undone, too.
curl -fsS $service/metrics | grep -E '^warp_sagas_(ended|started)' | sed 's/^/  /'
echo "sagas of two steps, $connections connections: median $(median <<<"$rates")/s, ratio $(median <<<"$ratios") (promised: 0.2)"
((bad == 0)) || { echo "$bad requests failed: these figures are not a measurement" >&2; exit 1; }
