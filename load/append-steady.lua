-- One event a request, over 10,000 entities, at a steady rate: each connection rests between two requests. With 500 connections these are some
-- 5,000 requests a second, where a request takes a few milliseconds.
local common = require("wrk-common")
setup = common.setup
local next_request
local rest = tonumber(os.getenv("REST_MS") or "95")

function init()
  local body = '{"type":"Credited","payload":{"amount":17}}'
  math.randomseed(1 + threadNumber)
  next_request = common.requests(function(n)
    return wrk.format("POST", "/v1/entities/user/u" .. n .. "/events", { ["Content-Type"] = "application/json" }, body)
  end)
end

function request() return next_request() end

-- Never the same for all, or they would come in waves.
function delay() return rest - 20 + math.random(0, 40) end

function done(summary, latency) common.done(summary, latency) end
