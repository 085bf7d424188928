#!/usr/bin/env bash
# Event streams beside appends: how long an event takes to its subscribers, what an idle stream costs, and what appends elsewhere lose.
#
#   load/subscribers.sh [--quick]
#
#   --quick   short, to see that it works; its figures are not to be quoted
#
# Starts the service on port 19094 with data of its own. The busy entity gets 50 events a second, followed by 1 and by 1,000 streams, by 1,000 of
# which 50 never read, and by one of 1,000 streams over 1,000 entities. Then batches of 500 go to other entities, in turns without streams and
# beside 1,000 on the busy one. `load/subscribers` is the client. Needs wrk and curl. LOAD_DATA names the directory for the data.
set -euo pipefail
cd "$(dirname "$0")"

rounds=3 seconds=10
case "${1:-}" in
  '') ;;
  --quick) rounds=1 seconds=4 ;;
  *) sed -n '2,12s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
command -v wrk >/dev/null || { echo 'wrk is missing. On Debian and Ubuntu: apt-get install wrk' >&2; exit 2; }

export WRK_THREADS=2 ENTITIES=10000
url=http://127.0.0.1:19094
work=$(mktemp -d ${LOAD_DATA:+-p "$LOAD_DATA"})
pids=()
stop() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || true; done
  rm -rf "$work"
}
trap stop EXIT
ulimit -n "$(ulimit -Hn)" # two descriptors a stream, one on either side

dotnet build -c Release ../Warp.Http -v quiet -nologo
dotnet build -c Release subscribers -v quiet -nologo
client() { dotnet subscribers/bin/Release/net10.0/Warp.Http.Subscribers.dll --url "$url" --pid "$service" --seconds "$seconds" "$@"; }
start() {
  for pid in "${pids[@]}"; do kill "$pid" && wait "$pid" 2>/dev/null || true; done
  rm -rf "$work/data"
  ASPNETCORE_URLS=$url Warp__DataDirectory=$work/data dotnet ../Warp.Http/bin/Release/net10.0/Warp.Http.dll </dev/null >"$work/log" 2>&1 &
  service=$!
  pids=("$service")
  local tries=0
  until curl -fsS -m 2 -o /dev/null "$url/health/ready" 2>/dev/null; do
    ((++tries <= 150)) || { echo "$url does not answer:" >&2; cat "$work/log" >&2; exit 1; }
    sleep 0.2
  done
}
batches() { # events a second
  wrk -t$WRK_THREADS -c16 -d"$1s" --timeout 10s -s append-batch.lua "$url" | sed -n 's/^RESULT //p' \
    | sed -n 's/.*requests=\([0-9]*\) seconds=\([0-9.]*\).*/\1 \2/p' | awk '{ printf "%d", $1 * 500 / $2 }'
}

for streams in '--subscribers 1' '--subscribers 1000' '--subscribers 1000 --deaf 50' '--subscribers 1000 --entities 1000'; do
  start
  client --subscribers 1 >/dev/null # warm
  echo "== $streams"
  # shellcheck disable=SC2086 # words on purpose
  client $streams | grep -v '^ready$'
done

start
batches 5 >/dev/null # warm
for ((round = 1; round <= rounds; round++)); do
  without=$(batches "$seconds")
  client --subscribers 1000 --seconds $((seconds + 4)) >"$work/client" &
  running=$!
  pids+=("$running")
  until grep -q '^ready$' "$work/client"; do kill -0 "$running"; sleep 0.2; done
  with=$(batches "$seconds")
  wait "$running"
  pids=("$service")
  awk -v round="$round" -v without="$without" -v with="$with" \
    'BEGIN { printf "== batches, round %d: %d events/s without streams, %d beside 1,000 (ratio %.2f)\n", round, without, with, with / without }'
  grep -E '^(from reply|processor)' "$work/client"
done
