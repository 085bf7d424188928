-- One event a request, over 10,000 entities.
local common = require("wrk-common")
setup = common.setup
local next_request

function init()
  local body = '{"type":"Credited","payload":{"amount":17}}'
  next_request = common.requests(function(n)
    return wrk.format("POST", "/v1/entities/user/u" .. n .. "/events", { ["Content-Type"] = "application/json" }, body)
  end)
end

function request() return next_request() end

function done(summary, latency) common.done(summary, latency) end
