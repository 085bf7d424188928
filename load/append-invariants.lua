-- Appends to one of two aggregates that fold alike: Ruled has invariants, Free has none. AGGREGATE says which, EVENTS how many a request.
-- Entities are apart, so that a ruled history is never folded for a free one.
local common = require("wrk-common")
setup = common.setup
local next_request
local aggregate = os.getenv("AGGREGATE") or "Ruled"
local events = tonumber(os.getenv("EVENTS") or "1")

function init()
  local list = {}
  for i = 1, events do
    list[i] = '{"type":"Credited","aggregate":"' .. aggregate .. '","payload":{"amount":' .. 10 + (i * 7) % 90 .. "}}"
  end
  local body = events == 1 and list[1] or "[" .. table.concat(list, ",") .. "]"
  local kind = aggregate:lower() .. events
  next_request = common.requests(function(n)
    return wrk.format("POST", "/v1/entities/" .. kind .. "/u" .. n .. "/events", { ["Content-Type"] = "application/json" }, body)
  end)
end

function request() return next_request() end

function done(summary, latency) common.done(summary, latency) end
