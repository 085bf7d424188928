#!/usr/bin/env bash
# Latency of appends while seals and merges run, beside the same without them: two services on the same disk, in turns, same client.
#
#   load/latency.sh [--quick]
#
#   --quick   1 round of 4 s, to see that it works; its figures are not to be quoted
#
# "quiet" never seals within the run; "busy" seals every SEAL_MB MiB (default 32, as delivered), so that seals follow one another and each
# sixteenth begins a merge. Prints p50, p99 and the worst of each round, and how many seals and merges the busy service made meanwhile.
# Needs wrk and curl. LOAD_DATA names the directory for the data.
set -euo pipefail
cd "$(dirname "$0")"

rounds=3 seconds=15
case "${1:-}" in
  '') ;;
  --quick) rounds=1 seconds=4 ;;
  *) sed -n '2,10s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
command -v wrk >/dev/null || { echo 'wrk is missing. On Debian and Ubuntu: apt-get install wrk' >&2; exit 2; }

export WRK_THREADS=2 ENTITIES=10000
quiet=http://127.0.0.1:19092 busy=http://127.0.0.1:19093
work=$(mktemp -d ${LOAD_DATA:+-p "$LOAD_DATA"})
pids=()
stop() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || true; done
  rm -rf "$work"
}
trap stop EXIT

dotnet build -c Release ../Warp.Http -v quiet -nologo
start() { # name, url, seal bytes
  mkdir "$work/$1"
  (cd "$work/$1" && ASPNETCORE_URLS=$2 Warp__DataDirectory=$work/$1/data Warp__SealBytes=$3 Warp__SealAfter=12:00:00 \
    exec dotnet "$OLDPWD/../Warp.Http/bin/Release/net10.0/Warp.Http.dll") >"$work/$1.log" 2>&1 &
  pids+=($!)
  local tries=0
  until curl -fsS -m 2 -o /dev/null "$2/health/ready" 2>/dev/null; do
    ((++tries <= 150)) || { echo "$2 does not answer:" >&2; cat "$work/$1.log" >&2; exit 1; }
    sleep 0.2
  done
}
counted() { # metric of the busy service
  curl -fsS "$busy/metrics" | awk -v m="^$1" '$1 ~ m { n += $2 } END { printf "%d", n }'
}
bad=0
measure() { # url, script, connections
  local result
  result=$(wrk -t$WRK_THREADS -c"$3" -d"${seconds}s" --timeout 10s -s "$2.lua" "$1" | sed -n 's/^RESULT //p')
  grep -q 'failed=0 broken=0' <<<"$result" || bad=1
  sed -n 's/.*requests=\([0-9]*\) seconds=\([0-9.]*\).*p50_ms=\([0-9.]*\) p99_ms=\([0-9.]*\) max_ms=\([0-9.]*\).*/\1 \2 \3 \4 \5/p' <<<"$result" \
    | awk '{ printf "%d/s | %s | %s | %s", $1 / $2, $3, $4, $5 }'
}

for load in 'append-batch 16' 'append-batch 4' 'append-single 200'; do
  read -r script connections <<<"$load"
  # The quiet service would reach its bound in a long run: it begins anew for each load.
  for pid in "${pids[@]}"; do kill "$pid" && wait "$pid" 2>/dev/null || true; done
  pids=()
  rm -rf "$work/quiet" "$work/busy"
  start quiet $quiet $((1 << 30))
  start busy $busy $((${SEAL_MB:-32} << 20))
  wrk -t$WRK_THREADS -c"$connections" -d3s --timeout 10s -s "$script.lua" $quiet >"$work/warm"
  wrk -t$WRK_THREADS -c"$connections" -d3s --timeout 10s -s "$script.lua" $busy >"$work/warm"
  echo "$script, $connections connections: requests | p50 ms | p99 ms | worst ms"
  for ((round = 1; round <= rounds; round++)); do
    echo "  quiet  $(measure $quiet "$script" "$connections")"
    seals=$(counted warp_seal_seconds_count) merges=$(counted warp_merges_total)
    echo "  busy   $(measure $busy "$script" "$connections")   ($(($(counted warp_seal_seconds_count) - seals)) seals, $(($(counted warp_merges_total) - merges)) merges)"
  done
done
((bad == 0)) || { echo 'Requests failed: these figures are not a measurement.' >&2; exit 1; }
