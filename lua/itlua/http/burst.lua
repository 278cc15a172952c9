--- Bursts: many equal requests at once, sent by the binding without Lua in between.

local core = require "itlua.core"
local binding = require "itlua.http.core"
local options = require "itlua.http.options"
local policy = require "itlua.policy"

local burst = {}

---@class itlua.http.BurstOptions: itlua.http.RequestOptions
---@field client? itlua.http.Client
---@field url? string             or a path of the client
---@field path? string            the same
---@field method? string          "GET"
---@field requests? integer       how many, 100; without limit where `duration` is given
---@field duration? number        seconds
---@field concurrency? integer    at a time, 10
---@field rate? number            requests a second; as fast as answers come, where it is not given
---@field timeout? number|false   seconds, of each

---@class itlua.http.Burst
---@field requests integer        sent
---@field answered integer        with a status
---@field failed integer          without an answer
---@field status table<integer, integer>    how many answers of each status; 0 for those that did not come
---@field errors table<string, integer>     how many failures of each code: ECONNREFUSED, TIMEOUT, …; 0 for others
---@field first_error string?     the message of the first failure
---@field seconds number          all of it
---@field rate number             answers a second
---@field bytes integer           of the bodies
---@field latency { min: number, mean: number, p50: number, p90: number, p95: number, p99: number, max: number }
---seconds of the answers; with a rate, from the time a request was due
local Burst = { __name = "itlua.http.burst" }

local OWN = {
  client = "table", url = "string", path = "string", method = "string", requests = "number", duration = "number",
  concurrency = "number", rate = "number",
}

local KNOWN = options.with(options.of_request, OWN)
KNOWN.stream, KNOWN.retry, KNOWN.file, KNOWN.timeout = nil, nil, nil, "number boolean"
KNOWN.body = "string"

local counts = { __index = function() return 0 end }

local function milliseconds(seconds)
  return seconds and ("%.3g ms"):format(seconds * 1000) or "-"
end

function Burst:__tostring()
  local parts = {}
  for status, n in pairs(self.status) do parts[#parts + 1] = ("%d x %d"):format(status, n) end
  for code, n in pairs(self.errors) do parts[#parts + 1] = ("%s x %d"):format(code, n) end
  table.sort(parts)
  return ("%d requests in %.3g s (%.0f/s): %s; p50 %s, p90 %s, p99 %s, max %s"):format(self.requests, self.seconds,
    self.rate, table.concat(parts, ", "), milliseconds(self.latency.p50), milliseconds(self.latency.p90),
    milliseconds(self.latency.p99), milliseconds(self.latency.max))
end

local function positive(given, name, integer)
  local value = given[name]
  if value == nil or (value > 0 and (not integer or math.type(value) == "integer")) then return value end
  core.usage(("burst: '%s' is a positive %s, not %s"):format(name, integer and "whole number" or "number", value))
end

--- Runs a burst and returns its figures. What fails is counted, not raised.
---@param client? itlua.http.Client   else option `client`
---@param path? string                else option `url` or `path`
---@param given itlua.http.BurstOptions
---@param default? fun(): itlua.http.Client
---@return itlua.http.Burst
function burst.run(client, path, given, default)
  options.check(given, KNOWN, "burst")
  client = client or given.client or default()
  path = path or given.url or given.path
  if not path then core.usage("burst needs a url, or a client and a path") end
  local plain = {}
  for k, v in pairs(given) do
    if not OWN[k] then plain[k] = v end
  end
  local method = (given.method or "GET"):upper()
  local address, plan = client:_prepare(method, path, plain)
  if policy.read_only then policy.http(client, method, address) end
  if policy.network then policy.network.check_url(client, method, address) end
  plan = plan or {}
  local timeout = given.timeout or given.timeout == nil and client._timeout or 0
  plan.timeout = 0 -- the burst watches all of them at once
  local duration = positive(given, "duration")
  local figures = binding.burst(client._core, method, address, plan, {
    requests = positive(given, "requests", true) or (duration and 0 or 100),
    duration = duration or 0,
    concurrency = positive(given, "concurrency", true) or 10,
    rate = positive(given, "rate") or 0,
    timeout = timeout,
  })
  setmetatable(figures.status, counts)
  setmetatable(figures.errors, counts)
  return setmetatable(figures, Burst)
end

return burst
