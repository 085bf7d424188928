#!/usr/bin/env bash
# Measures POST /v1/events: single events, each a line of its own, over 4 connections with thousands of lines in flight, against lines of 500
# events, in turns. The client (load/stream-client) checks every reply, and shares all processors with the service, as in the promise.
#
#   load/stream.sh [--quick]
#
#   --quick   1 round of 3 s, to see that it works; its figures are not to be quoted
#
# Needs curl and the .NET SDK. Writes load/results/<date>-<commit>-stream.md.
# LOAD_DATA names the directory for the data (default: a temporary one), LOAD_PORT the first of two ports (default: 19094).
# LOAD_BASE names a directory with another build's Warp.Http.dll: it is measured in turns with this one, in the same rounds.
set -euo pipefail
cd "$(dirname "$0")"
. ./service.sh

rounds=5 seconds=8 warmup=8 suffix=
case "${1:-}" in
  '') ;;
  --quick) rounds=1 seconds=3 warmup=3 suffix=-quick ;;
  *) usage ;;
esac

build
dotnet build -c Release stream-client -v quiet -nologo
client=$PWD/stream-client/bin/Release/net10.0/Warp.Http.StreamClient.dll

builds=(this)
declare -A assemblies=([this]=$assembly) port pid
if [ -n "${LOAD_BASE:-}" ]; then
  builds=(base this)
  assemblies[base]=$LOAD_BASE/Warp.Http.dll
fi

next=${LOAD_PORT:-19094}
for build in "${builds[@]}"; do
  port[$build]=$next
  assembly=${assemblies[$build]}
  start "$build" "http://127.0.0.1:$next" "Warp__Http2Url=http://127.0.0.1:$((next + 1))"
  pid[$build]=${pids[-1]}
  next=$((next + 2))
done

table=
declare -A rates
turn() { # title, build, round, arguments of the client
  local title=$1 build=$2 round=$3 to=$((port[$2]))
  shift 3
  [[ " $* " == *' h2 '* ]] && to=$((to + 1))
  result=$(dotnet "$client" --url "http://127.0.0.1:$to" --service-pid "${pid[$build]}" --warmup "$warmup" --seconds "$seconds" "$@") || exit 1
  rates[$title/$build]+=" $(value rate)"
  local line="| $title | $build | $round | $(value rate) | $(value p50_ms) | $(value p99_ms) | $(value service_us) | $(value client_us) |"
  echo "$line"
  table+=$line$'\n'
}

head='| what | build | round | events/s | p50 ms | p99 ms | service µs/event | client µs/event |
|---|---|---|---|---|---|---|---|'
echo "$head"
for ((round = 1; round <= rounds; round++)); do
  for build in "${builds[@]}"; do
    turn 'HTTP/1.1, single' "$build" "$round" --transport h1
    turn 'HTTP/2, single' "$build" "$round" --transport h2
    turn 'HTTP/2, single, 256 in flight' "$build" "$round" --transport h2 --window 256
    turn 'HTTP/1.1 requests of 4096 lines' "$build" "$round" --transport requests
    turn 'HTTP/2, lines of 500' "$build" "$round" --transport h2 --batch 500 --window 64
  done
done

medians=
for key in 'HTTP/1.1, single' 'HTTP/2, single' 'HTTP/2, single, 256 in flight' 'HTTP/1.1 requests of 4096 lines' 'HTTP/2, lines of 500'; do
  for build in "${builds[@]}"; do
    rate=$(median <<<"${rates[$key/$build]}") batch=$(median <<<"${rates[HTTP/2, lines of 500/$build]}")
    medians+="| $key | $build | $rate | $(ratio "$rate" "$batch") |"$'\n'
  done
done
printf '\n| median | build | events/s | of lines of 500 |\n|---|---|---|---|\n%s\n' "$medians"

processor=$(lscpu | sed -n 's/^Model name: *//p' | sed -n 1p)
commit=$(git rev-parse --short HEAD)
[ -z "$(git status --porcelain -- .. ':!results')" ] || commit+=-dirty
report=results/$(date -u +%F)-$commit-stream$suffix.md
mkdir -p results
cat >"$report" <<REPORT
# Streaming append, $(date -u +%F), commit $commit

- machine: $processor, $(nproc) processors, Linux $(uname -r); load average before the end: $(cut -d' ' -f1-3 /proc/loadavg)
- disk: $(findmnt -no FSTYPE -T "$work")
- client: load/stream-client on the same machine, 4 connections, 10,000 entities, 4096 lines in flight each where nothing else is said; every reply checked
- $rounds rounds of $seconds s after $warmup s each
- promised: 300,000 single events/s, each acknowledged on its own and durable

| median | build | events/s | of lines of 500 |
|---|---|---|---|
$medians
$head
$table
REPORT
echo "written: load/$report"
