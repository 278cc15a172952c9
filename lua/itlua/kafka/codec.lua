--- Kafka: codecs. A value of a record as Lua sees it, to the bytes that a topic carries and back. Here Avro, Protobuf or a
-- schema registry plug in:
--
--     k:codec("orders", { name = "avro",
--       encode = function(value, record) return bytes end,      -- record: topic, key, headers
--       decode = function(bytes, record) return value end })    -- raises what is wrong with them

local capture = require "itlua.capture"
local core = require "itlua.core"
local json = require "itlua.json"
local null = require "itlua.null"
local show = require "itlua.show"

local codec = {}

---@class itlua.kafka.Codec
---@field name? string     in messages
---@field encode fun(value: any, record: table): string
---@field decode fun(bytes: string, record: table): any

local function to_json(value)
  if type(value) == "string" then return value end
  return json.encode(value)
end

local function text(value)
  local kind = type(value)
  if kind == "string" or kind == "number" or kind == "boolean" then return tostring(value) end
  core.usage("the codec \"string\" takes strings, not " .. show.value(value, 80))
end

local builtin = {
  -- Tables as JSON, strings as they are; what looks like JSON and is, is decoded.
  auto = { name = "auto", encode = to_json, decode = function(bytes) return capture.decode(bytes) end },
  -- The same, but what is no JSON is an error.
  json = { name = "json", encode = to_json, decode = function(bytes) return json.decode(bytes) end, strict = true },
  string = { name = "string", encode = text, decode = function(bytes) return bytes end },
}

--- The codec that is meant: "auto", "json", "string", or one of the user's own.
---@param given string|itlua.kafka.Codec|nil
---@return itlua.kafka.Codec?
function codec.of(given)
  if given == nil then return nil end
  local found = builtin[given]
  if found then return found end
  if type(given) == "table" and type(given.encode or given.decode) == "function" then return given end
  core.usage("a codec is \"auto\", \"json\", \"string\" or a table { encode = function, decode = function }, not "
    .. show.value(given, 80))
end

codec.auto = builtin.auto

--- The bytes of a value; nil for a tombstone.
---@param own itlua.kafka.Codec
---@param value any
---@param record table
---@return string?
function codec.encode(own, value, record)
  if value == nil or value == null then return nil end
  if not own.encode then core.usage(("the codec %s cannot encode"):format(own.name or "of " .. record.topic)) end
  local bytes = own.encode(value, record)
  if type(bytes) ~= "string" then
    core.usage(("the codec %s made %s of a value, and no string"):format(own.name or "of " .. record.topic,
      show.value(bytes, 80)))
  end
  return bytes
end

--- Sets the value of a record that was read; what is wrong with its bytes, where something is.
---@param own itlua.kafka.Codec
---@param record table
---@return string? problem
function codec.decode(own, record)
  local bytes = record.payload
  if bytes == nil then
    record.value, record.tombstone = null, true
    return nil
  end
  if not own.decode then
    record.value = bytes
    return nil
  end
  local ok, value = pcall(own.decode, bytes, record)
  if ok then
    record.value = value == nil and null or value
    return nil
  end
  record.value = bytes
  local why = type(value) == "table" and value.message or tostring(value)
  return ("no %s: %s"):format(own.strict and "JSON" or "value of the codec " .. (own.name or "given"), why)
end

return codec
