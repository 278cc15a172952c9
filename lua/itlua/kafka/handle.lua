--- Kafka: librdkafka's handles, and what they say of themselves: their log lines stand in the timeline of a test that
-- fails, never on stderr.

local core = require "itlua.core"
local evidence = require "itlua.evidence"
local kafka = require "itlua.kafka.core"
local policy = require "itlua.policy"
local settings = require "itlua.kafka.settings"

local handle = {}

-- { client =, mask =, seen = lines before this test }
local all = {}

local function tell()
  local spans = {}
  for _, one in ipairs(all) do
    for _, line in ipairs((one.client:logs(one.seen))) do
      if not line.text:find "^AUTOCREATE:" then -- of a mock cluster that is asked for a topic: it has no such choice
        spans[#spans + 1] = { at = line.at, seconds = 0, what = "kafka.log", detail = one.mask(line.text), outcome = "" }
      end
    end
  end
  return spans
end

local function forget()
  local open = {}
  for _, one in ipairs(all) do
    local _, count = one.client:logs(math.maxinteger)
    one.seen = count
    if not tostring(one.client):find "%(closed%)$" then open[#open + 1] = one end
  end
  all = open
end

local offered = false

-- ---- errors in the words of who asked

-- Without what librdkafka says for its own developers.
local function plainer(text)
  return (text:gsub(" %(after %d+ms in state .-suppressed%)", ""):gsub(" %(after %d+ms in state [^()]*%)", "")
    :gsub("^Local: Broker transport failure: ", ""))
end

--- Calls a method of a handle; what it raises says what was tried.
---@param own table
---@param what string       "cannot read the offsets of orders"
---@param fn function
---@return any ...
function handle.try(own, what, fn, ...)
  local results = table.pack(pcall(fn, ...))
  if results[1] then return table.unpack(results, 2, results.n) end
  local err = results[2]
  if core.is_error(err) ~= "kafka" then error(err, 0) end
  local prefix = what and what .. ": " or ""
  core.raise("kafka", err.code, prefix .. own.mask(plainer(err.message)), { op = err.op, cause = err })
end

-- ---- handles

--- A new handle.
---@param own table                      of settings.of
---@param use "ask"|"producer"|"consumer"|"member"
---@param more? table<string, any>       properties that have to be
---@return userdata client
function handle.open(own, use, more)
  if policy.read_only and (use == "producer" or use == "member") then
    policy.refuse("kafka", (use == "producer" and "publishing to " or "joining a consumer group at ") .. own.brokers)
  end
  if policy.network then policy.network.check_all("kafka", own.brokers) end
  local client = handle.try(own, nil, kafka.open, {
    type = use == "ask" and "consumer" or use, brokers = own.brokers, config = settings.config(own, use, more),
  })
  if not offered then
    offered = true
    evidence.offer_spans(tell, forget)
  end
  all[#all + 1] = { client = client, mask = own.mask, seen = 0 }
  return client
end

--- What the open handles of this state have logged, a line each: for `k:logs()`.
---@param own table
---@return string[]
function handle.lines(own)
  local lines = {}
  for _, one in ipairs(all) do
    if one.mask == own.mask then
      for _, line in ipairs((one.client:logs(0))) do lines[#lines + 1] = one.mask(line.text) end
    end
  end
  return lines
end

-- What a report tells of a record that was sent.
evidence.describe("kafka.publish", function(kept, span)
  return {
    topic = kept[2], key = kept[4], value = kept[5], partition = kept.result,
    offset = math.tointeger(tonumber(span.outcome:match "offset (%d+)")),
  }
end)

return handle
