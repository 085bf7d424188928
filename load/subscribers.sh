#!/usr/bin/env bash
# Event streams beside appends: how long an event takes to its subscribers, what an idle stream costs, and what appends elsewhere lose.
# Promised: p50 from the reply to the receipt 1 ms at 1 subscriber and 5 ms at 1,000; 0.8 of the batches to other entities.
#
#   load/subscribers.sh [--quick]
#
#   --quick   short, to see that it works; its figures are not to be quoted
#
# The busy entity gets 50 events a second, followed by 1 and by 1,000 streams, by 1,000 of which 50 never read, and by one of 1,000 streams over
# 1,000 entities. Then batches of 500 go to other entities, in turns without streams and beside 1,000 on the busy one. `load/subscribers` is the
# client; it tells when an event arrived (the kernel had it for the client) and when the client, which shares the processors, had read it.
# Needs wrk (Debian, Ubuntu: apt-get install wrk), curl and the .NET SDK. LOAD_DATA names the directory for the data, PORT the port.
set -euo pipefail
cd "$(dirname "$0")"
. ./service.sh

rounds=5 seconds=10
case "${1:-}" in
  '') ;;
  --quick) rounds=1 seconds=4 ;;
  *) usage ;;
esac
needs_wrk
ulimit -n "$(ulimit -Hn)" # two descriptors a stream, one on either side

url=http://127.0.0.1:${PORT:-19094}
export ENTITIES=10000
build
dotnet build -c Release subscribers -v quiet -nologo

client() { dotnet subscribers/bin/Release/net10.0/Warp.Http.Subscribers.dll --url "$url" --pid "${pids[0]}" --seconds "$seconds" "$@"; }
anew() {
  stop
  start service "$url"
  client --subscribers 1 --seconds 2 >/dev/null # warm
}
told() { sed -n "s/^from reply to $1: p50=\([-0-9.]*\).*/\1/p" "$work/client"; }

follow() { # arguments of the client
  local arrivals='' receipts='' round
  anew
  client "$@" --seconds 3 >"$work/client" # what is measured is compiled
  echo "$*: $(grep '^memory' "$work/client")"
  for ((round = 1; round <= rounds; round++)); do
    client "$@" >"$work/client"
    grep -E '^(from reply|processor)' "$work/client" | sed "s/^/  round $round: /"
    arrivals+=" $(told arrival)" receipts+=" $(told receipt)"
  done
  echo "$*: median p50 to arrival $(median <<<"$arrivals") ms, to receipt $(median <<<"$receipts") ms"
}
follow --subscribers 1
follow --subscribers 1000
follow --subscribers 1000 --deaf 50
follow --subscribers 1000 --entities 1000

anew
measure "$url" append-batch 16 5 # warm
ratios=''
for ((round = 1; round <= rounds; round++)); do
  measure "$url" append-batch 16 "$seconds"
  without=$rate
  client --subscribers 1000 --seconds $((seconds + 4)) >"$work/client" &
  running=$!
  pids+=("$running")
  until grep -q '^ready$' "$work/client"; do kill -0 "$running"; sleep 0.2; done
  measure "$url" append-batch 16 "$seconds"
  wait "$running"
  pids=("${pids[0]}")
  ratios+=" $(ratio "$rate" "$without")"
  echo "batches, round $round: $((without * 500)) events/s without streams, $((rate * 500)) beside 1,000, ratio $(ratio "$rate" "$without"); $(grep '^from reply to receipt' "$work/client")"
done
echo "batches: median ratio $(median <<<"$ratios") (promised: 0.8)"
finish
