-- The folded state of one of 10,000 entities, which append-single.lua has made.
local common = require("wrk-common")
setup = common.setup
local next_request

function init()
  next_request = common.requests(function(n) return wrk.format("GET", "/v1/entities/user/u" .. n .. "/aggregates/Default") end)
end

function request() return next_request() end

function done(summary, latency) common.done(summary, latency) end
