-- Arrays of 500 events, over 10,000 entities, with the rate of each second: sealing shows as a dip that a mean would hide.
local common = require("wrk-common")
local EVENTS = 500
setup = common.setup
local next_request
windows = {}

function init()
  local bodies = {}
  for b = 0, 7 do
    local events = {}
    for i = 1, EVENTS do events[i] = '{"type":"Credited","payload":{"amount":' .. 10 + (i * 7 + b) % 90 .. "}}" end
    bodies[b] = "[" .. table.concat(events, ",") .. "]"
  end
  next_request = common.requests(function(n)
    return wrk.format("POST", "/v1/entities/user/u" .. n .. "/events", { ["Content-Type"] = "application/json" }, bodies[n % 8])
  end)
end

function request()
  local second = tostring(os.time())
  windows[second] = (windows[second] or 0) + 1 -- sent and not answered, which in a closed loop is the same but for the last
  return next_request()
end

function done(summary, latency)
  local sums, rates = {}, {}
  for _, thread in ipairs(common.threads()) do
    for second, requests in pairs(thread:get("windows")) do sums[second] = (sums[second] or 0) + requests end
  end
  local seconds = {}
  for second in pairs(sums) do seconds[#seconds + 1] = second end
  table.sort(seconds)
  for i = 2, #seconds - 1 do rates[#rates + 1] = sums[seconds[i]] * EVENTS end -- the first and the last are not whole
  io.write("WINDOWS " .. table.concat(rates, " ") .. "\n")
  common.done(summary, latency, " events=" .. summary.requests * EVENTS)
end
