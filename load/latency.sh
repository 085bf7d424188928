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
. ./service.sh

rounds=3 seconds=15
case "${1:-}" in
  '') ;;
  --quick) rounds=1 seconds=4 ;;
  *) usage ;;
esac
needs_wrk

export ENTITIES=10000
quiet=http://127.0.0.1:19092 busy=http://127.0.0.1:19093
build

counted() { # metric of the busy service
  curl -fsS "$busy/metrics" | awk -v m="^$1" '$1 ~ m { n += $2 } END { printf "%d", n }'
}
turn() { # name, url, script, connections
  measure "$2" "$3" "$4" "$seconds"
  printf '  %-6s %s/s | %s | %s | %s' "$1" "$rate" "$(value p50_ms)" "$(value p99_ms)" "$(value max_ms)"
}

for load in 'append-batch 16' 'append-batch 4' 'append-single 200'; do
  read -r script connections <<<"$load"
  # The quiet service would reach its bound in a long run: both begin anew for each load.
  stop
  start quiet $quiet Warp__SealBytes=$((1 << 30)) Warp__SealAfter=12:00:00
  start busy $busy Warp__SealBytes=$((${SEAL_MB:-32} << 20)) Warp__SealAfter=12:00:00
  for url in $quiet $busy; do load "$url" "$script" "$connections" 3; done # warm: compiled, connected, its entities there
  echo "$script, $connections connections: requests | p50 ms | p99 ms | worst ms"
  for ((round = 1; round <= rounds; round++)); do
    turn quiet $quiet "$script" "$connections"
    echo
    seals=$(counted warp_seal_seconds_count) merges=$(counted warp_merges_total)
    turn busy $busy "$script" "$connections"
    echo "   ($(($(counted warp_seal_seconds_count) - seals)) seals, $(($(counted warp_merges_total) - merges)) merges)"
  done
done
finish
