-- What the scripts share: which entities a thread writes to, and a result line that a shell can read.
-- wrk keeps one Lua state a thread; setup and done run in another one.

local common = {}

common.entities = tonumber(os.getenv("ENTITIES") or "10000")

local threads = {}

function common.setup(thread)
  thread:set("threadNumber", #threads)
  table.insert(threads, thread)
end

-- Every thread walks through its own part of the entities in a fixed order, each request string made beforehand:
-- a measured thread only hands out strings.
function common.requests(make)
  local count = tonumber(os.getenv("WRK_THREADS") or "2")
  local requests = {}
  for n = threadNumber, common.entities - 1, count do
    requests[#requests + 1] = make(n)
  end
  -- Neighbours in number must not be neighbours in time (a fixed shuffle, Park and Miller's generator).
  local seed = 1 + threadNumber
  for i = #requests, 2, -1 do
    seed = (seed * 16807) % 2147483647
    local j = seed % i + 1
    requests[i], requests[j] = requests[j], requests[i]
  end
  local last = 0
  return function()
    last = last % #requests + 1
    return requests[last]
  end
end

-- Answers of 400 and above, broken connections and time-outs are counted apart; a run with any is not a measurement.
function common.done(summary, latency, extra)
  local e = summary.errors
  io.write(string.format("RESULT requests=%d seconds=%.3f failed=%d broken=%d p50_ms=%.2f p99_ms=%.2f max_ms=%.2f%s\n",
    summary.requests, summary.duration / 1e6, e.status, e.connect + e.read + e.write + e.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000, latency.max / 1000, extra or ""))
end

function common.threads() return threads end

return common
