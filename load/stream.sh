#!/usr/bin/env bash
# Loads an event log through POST /v1/events, a line an event, and says how fast that went and what was refused.
#
#   load/stream.sh [url=http://localhost:9090] [lines=100000]
set -euo pipefail
url=${1:-http://localhost:9090}
lines=${2:-100000}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$here/sample-log.sh" "$lines" >"$work/log.ndjson" # written first: generating must not be timed
seconds=$(curl -sS --fail-with-body -X POST -T "$work/log.ndjson" -H 'Content-Type: application/x-ndjson' \
  -o "$work/replies.ndjson" -w '%{time_total}' "$url/v1/events") || { cat "$work/replies.ndjson" >&2; exit 1; }
replies=$(wc -l <"$work/replies.ndjson")
problems=$(grep -c '"problem"' "$work/replies.ndjson" || true)
bytes=$(wc -c <"$work/log.ndjson")
awk -v lines="$lines" -v replies="$replies" -v problems="$problems" -v seconds="$seconds" -v bytes="$bytes" 'BEGIN {
  printf "%d lines (%.1f MB) in %.2f s: %.0f lines/s; ", lines, bytes / 1e6, seconds, lines / seconds
  printf "%d replies, %d problems\n", replies, problems
  exit replies != lines || problems > 0 }'
