# What the scripts beside it share, to be sourced by one that has gone to this directory: the service is built and started with data of its
# own below LOAD_DATA (by default the temporary directory), loaded by wrk, and stopped by its process id when the script ends.

export WRK_THREADS=2
work=$(mktemp -d ${LOAD_DATA:+-p "$LOAD_DATA"})
assembly=$PWD/../Warp.Http/bin/Release/net10.0/Warp.Http.dll # what start starts; a script may set another build's
pids=()
bad=0

stop() { # what was started, with its data
  local pid
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null || true; done
  pids=()
  rm -rf "${work:?}"/*
}
trap 'stop; rm -rf "$work"' EXIT

usage() { # the comment at the head of the script, but for its first line
  sed -n '2,/^[^#]/s/^# \{0,1\}//p' "${0##*/}" >&2
  exit 2
}

needs_wrk() {
  command -v wrk >/dev/null || { echo 'wrk is missing. On Debian and Ubuntu: apt-get install wrk' >&2; exit 2; }
}

build() { dotnet build -c Release ../Warp.Http -v quiet -nologo; }

start() { # name, url, settings as NAME=value; from a directory of its own, so that no settings file of the tree has a say
  local name=$1 url=$2 tries=0
  shift 2
  mkdir "$work/$name"
  (cd "$work/$name" && exec env "ASPNETCORE_URLS=$url" "Warp__DataDirectory=$work/$name/data" "$@" dotnet "$assembly") </dev/null >"$work/$name.log" 2>&1 &
  pids+=($!)
  until curl -fsS -m 2 -o /dev/null "$url/health/ready" 2>/dev/null; do
    ((++tries <= 150)) || { echo "$url does not answer:" >&2; cat "$work/$name.log" >&2; exit 1; }
    sleep 0.2
  done
}

put() { # url, JSON
  curl -fsS -o /dev/null -X PUT -H 'Content-Type: application/json' -d "$2" "$1"
}

measure() { # url, script, connections, seconds; sets result, and rate in requests a second
  load "$@"
  judge
}

load() {
  wrk -t$WRK_THREADS -c"$3" -d"$4s" --timeout 10s -s "$2.lua" "$1" >"$work/wrk.out"
}

judge() {
  result=$(sed -n 's/^RESULT //p' "$work/wrk.out")
  rate=$(awk -v n="$(value requests)" -v s="$(value seconds)" 'BEGIN { printf "%.0f", n / s }')
  local refused=$(($(value failed) + $(value broken)))
  if ((refused > 0)); then bad=$((bad + refused)); echo "  $refused requests failed: $result" >&2; fi
}

value() { sed -n "s/.*\b$1=\([0-9.]*\).*/\1/p" <<<"$result"; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.3f", a / b }'; }
percentile() { tr ' ' '\n' | sed '/^$/d' | sort -n | awk -v p="$1" '{ v[NR] = $1 } END { i = int(NR * p / 100 + 0.999999); print v[i < 1 ? 1 : i] }'; }
median() { tr ' ' '\n' | sed '/^$/d' | sort -n | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

finish() { # a run in which a request failed is no measurement
  ((bad == 0)) || { echo "$bad requests failed: these figures are not a measurement" >&2; exit 1; }
}
