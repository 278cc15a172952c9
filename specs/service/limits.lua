--- Rate limits: each client has a bucket of tokens that fills again steadily; a request takes one.

local time = require "itlua.time"
local problem = require "problem"

local limits = {}

--- Middleware: a client, known by its credentials or else its address, may send `rate` requests at once and a second.
function limits.per_client(rate)
  local buckets = {}
  return function(req, next)
    local who, now = req:header "authorization" or req.client or "", time.monotonic()
    local bucket = buckets[who]
    if not bucket then
      bucket = { tokens = rate, at = now }
      buckets[who] = bucket
    end
    bucket.tokens = math.min(rate, bucket.tokens + (now - bucket.at) * rate)
    bucket.at = now
    if bucket.tokens < 1 then
      local wait = math.ceil((1 - bucket.tokens) / rate)
      return problem.response(429, "too_many_requests", "Slow down.", nil, { ["retry-after"] = tostring(wait) })
    end
    bucket.tokens = bucket.tokens - 1
    local response = next()
    response.headers = response.headers or {}
    response.headers["ratelimit-remaining"] = ("%d"):format(bucket.tokens // 1)
    return response
  end
end

return limits
