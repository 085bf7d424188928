#!/usr/bin/env bash
# Measures the service against a Kestrel that only answers (load/echo): same machine, same client, same requests, in turns, so that a
# ratio is left where a rate alone would speak of the machine. Client and servers share all processors, as in the promise.
#
#   load/run.sh [--quick]
#
#   --quick   2 rounds of 3 s and 10 s sustained, to see that it works; its figures are not to be quoted
#
# Needs wrk (Debian, Ubuntu: apt-get install wrk), curl and the .NET SDK. Writes load/results/<date>-<commit>.md.
# LOAD_DATA names the directory for the data (default: a temporary one): the disk beneath it is what is measured.
set -euo pipefail
cd "$(dirname "$0")"

rounds=5 seconds=8 sustained=60 suffix=
case "${1:-}" in
  '') ;;
  --quick) rounds=2 seconds=3 sustained=10 suffix=-quick ;;
  *) sed -n '2,11s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
command -v wrk >/dev/null || { echo 'wrk is missing. On Debian and Ubuntu: apt-get install wrk' >&2; exit 2; }

service=http://127.0.0.1:19090 echo=http://127.0.0.1:19091
export WRK_THREADS=2 ENTITIES=10000
work=$(mktemp -d ${LOAD_DATA:+-p "$LOAD_DATA"})
pids=()
stop() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || true; done
  rm -rf "$work"
}
trap stop EXIT

dotnet build -c Release ../Warp.Http -v quiet -nologo
dotnet build -c Release echo -v quiet -nologo

start() { # name, assembly, url
  # From a directory of its own, so that no settings file of the tree has a say.
  (cd "$work" && ASPNETCORE_URLS=$3 Warp__DataDirectory=$work/data exec dotnet "$2") >"$work/$1.log" 2>&1 &
  pids+=($!)
}
start service "$PWD/../Warp.Http/bin/Release/net10.0/Warp.Http.dll" $service
start echo "$PWD/echo/bin/Release/net10.0/Warp.Http.Echo.dll" $echo
for url in $service/health/ready $echo/; do
  tries=0
  until curl -fsS -o /dev/null "$url" 2>/dev/null; do
    ((++tries <= 150)) || { echo "$url does not answer:" >&2; cat "$work"/*.log >&2; exit 1; }
    sleep 0.2
  done
done

bad=0
measure() { # script, url, connections, seconds; sets rate, result, windows
  wrk -t$WRK_THREADS -c"$3" -d"$4s" --timeout 10s -s "$1.lua" "$2" >"$work/wrk.out"
  result=$(sed -n 's/^RESULT //p' "$work/wrk.out")
  windows=$(sed -n 's/^WINDOWS //p' "$work/wrk.out")
  rate=$(awk -v n="$(value requests)" -v s="$(value seconds)" 'BEGIN { printf "%.0f", n / s }')
  local refused=$(($(value failed) + $(value broken)))
  if ((refused > 0)); then bad=$((bad + refused)); echo "  $refused requests failed: $result" >&2; fi
}
value() { sed -n "s/.*\b$1=\([0-9.]*\).*/\1/p" <<<"$result"; }
sorted() { tr ' ' '\n' | sed '/^$/d' | sort -n; }
median() { sorted | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }
smallest() { sorted | sed -n 1p; }

table=
row() { # fields; prints a line of the table and keeps it
  local line
  line=$(printf '| %s ' "$@")'|'
  echo "  $line"
  table+=$line$'\n'
}
compare() { # title, script, connections, events a request, what is promised
  local echo_rates='' service_rates='' ratios='' of_echo ratio round
  echo "$1, $3 connections"
  measure "$2" $echo "$3" 2 # warm: compiled, connected, in the caches
  measure "$2" $service "$3" 3
  for ((round = 1; round <= rounds; round++)); do
    measure "$2" $echo "$3" "$seconds"
    of_echo=$rate
    measure "$2" $service "$3" "$seconds"
    ratio=$(awk -v a="$rate" -v b="$of_echo" 'BEGIN { printf "%.3f", a / b }')
    echo_rates+=" $of_echo" service_rates+=" $rate" ratios+=" $ratio"
    row "$1" $round "$of_echo" "$rate" $((rate * $4)) "$ratio" "$(value p50_ms)" "$(value p99_ms)"
  done
  rate=$(median <<<"$service_rates" | awk '{ printf "%.0f", $1 }')
  row "**$1**" '**median**' "$(median <<<"$echo_rates")" "$rate" $((rate * $4)) "**$(median <<<"$ratios")**" "promised: $5" ''
}

compare 'single appends' append-single 200 1 'ratio 0.55'
compare 'state reads' read-state 200 0 'ratio 0.8'
compare 'batches of 500' append-batch 16 500 '1,200,000 events/s'

echo "batches of 500, sustained for $sustained s"
measure append-batch $service 16 "$sustained"
sustained_line="mean $((rate * 500)), median second $(median <<<"$windows"), worst second $(smallest <<<"$windows") events/s"
sustained_line+="; p99 $(value p99_ms) ms, max $(value max_ms) ms (promised: 600,000 events/s)"
echo "  $sustained_line"

info=$(curl -fsS $service/v1/info 2>/dev/null || true)
# What the disk can do by itself, to be read beside the service's figures.
sync_rate=$(dd if=/dev/zero of="$work/sync" bs=4k count=300 oflag=dsync 2>&1 | awk '/copied/ { printf "%.0f", 300 / $(NF - 3) }' || true)
processor=$(lscpu | sed -n 's/^Model name: *//p' | sed -n 1p)
memory=$(awk '/MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo)
commit=$(git rev-parse --short HEAD)
[ -z "$(git status --porcelain -- .. ':!results')" ] || commit+=-dirty
report=results/$(date -u +%F)-$commit$suffix.md
mkdir -p results
cat >"$report" <<REPORT
# Load, $(date -u +%F), commit $commit

- machine: $processor, $(nproc) processors, $memory, Linux $(uname -r)
- disk: $(findmnt -no FSTYPE -T "$work"), $sync_rate synchronous 4 KiB writes a second
- service: $(grep -o '"durability":"[^"]*"' <<<"$info"), $(grep -o '"shards":[0-9]*' <<<"$info")
- client: $(wrk -v 2>&1 | sed -n '1s/ \[.*//p'), $WRK_THREADS threads on the same machine, $ENTITIES entities
- $rounds rounds of $seconds s, echo and service in turns
- requests that failed: $bad

| what | round | echo, requests/s | service, requests/s | events/s | service / echo | p50 ms | p99 ms |
|---|---|---|---|---|---|---|---|
$table
Batches of 500 over 16 connections, sustained for $sustained s: $sustained_line.

Each second: ${windows// /, }.
REPORT
echo "written: load/$report"
((bad == 0)) || { echo "$bad requests failed: these figures are not a measurement" >&2; exit 1; }
