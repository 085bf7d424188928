-- A transfer of two steps a request, each saga under an id of its own, between 10,000 entities.
local common = require("wrk-common")
setup = common.setup
local next_pair
local sent = 0
local run = os.getenv("RUN") or tostring(os.time())

function init()
  next_pair = common.requests(function(n)
    local to = (n * 7919 + 1) % common.entities
    return '{"steps":[{"entity":"user/u' .. n .. '","action":{"type":"Debited","payload":{"amount":17}},"compensation":{"type":"Credited","payload":{"amount":17}}},'
      .. '{"entity":"user/u' .. to .. '","action":{"type":"Credited","payload":{"amount":17}},"compensation":{"type":"Debited","payload":{"amount":17}}}]}'
  end)
end

function request()
  sent = sent + 1
  return wrk.format("POST", "/v1/sagas/" .. run .. "-" .. threadNumber .. "-" .. sent, { ["Content-Type"] = "application/json" }, next_pair())
end

function done(summary, latency) common.done(summary, latency) end
