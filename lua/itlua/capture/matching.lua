--- Captures: what a match is, and whether a record is what is meant.

local core = require "itlua.core"
local match = require "itlua.match"
local null = require "itlua.null"
local show = require "itlua.show"

local matching = {}

local WHOLE = {} -- the key of what is expected of a whole record

--- What is expected of a whole record instead of its value.
---@param expected table     { key = "c-1", headers = { … }, value = { … } }
---@return table match
function matching.record(expected)
  if type(expected) ~= "table" then core.usage("capture.record needs a table, not " .. show.value(expected)) end
  return { [WHOLE] = expected }
end

--- A usage error where a value cannot be a match.
---@param name string     who was given it
---@param wanted any
function matching.check(name, wanted)
  local kind = wanted ~= null and type(wanted)
  if kind == "userdata" or kind == "thread" then core.usage(("%s cannot match by %s"):format(name, show.value(wanted))) end
end

--- What is held against what; nothing where it is no comparison of parts.
---@return any expected, any got
function matching.sides(wanted, record)
  if type(wanted) ~= "table" then return end
  local whole = rawget(wanted, WHOLE)
  if whole then return whole, record end
  return wanted, record.value
end

---@return boolean
function matching.fits(wanted, record)
  if wanted == nil then return true end
  local kind = type(wanted)
  if kind == "function" then return not not wanted(record) end
  if kind ~= "table" then
    local line = record.line
    if line and kind == "string" then return line:find(wanted) ~= nil end
    return wanted == record.value or wanted == record.payload
  end
  return match.subset(matching.sides(wanted, record))
end

--- A match in words.
---@return string
function matching.words(wanted)
  if wanted == nil then return "anything" end
  if type(wanted) == "table" and rawget(wanted, WHOLE) then return "a record with " .. match.words(wanted[WHOLE]) end
  return match.words(wanted)
end

return matching
