--- Kafka: what a filter surely does not let through, told from the bytes of a record, before anything is decoded.
--
-- Where a filter is a table, its keys and its strings stand in the text of every JSON value that fits. A text without them,
-- and without escapes that could hide them, need not be looked at any closer.

local match = require "itlua.match"

local prefilter = {}

-- A text that JSON writes as it is.
local function plain(text) return not text:find '[^%w _.:@+*,;()%-]' and #text > 0 end

local function collect(value, words, seen)
  if type(value) == "string" then
    if plain(value) then words[#words + 1] = value end
  elseif type(value) == "table" and not seen[value] and getmetatable(value) == nil and not match.is_callable(value) then
    seen[value] = true
    for key, item in next, value do
      if type(key) == "string" and plain(key) then words[#words + 1] = key end
      collect(item, words, seen)
    end
  end
end

--- The words that the text of all that fits has in it (or a backslash, an escape); nil where the filter tells none.
---@param filter any
---@return string[]?
function prefilter.words(filter)
  if type(filter) ~= "table" or getmetatable(filter) ~= nil then return nil end
  for key in next, filter do
    if type(key) ~= "string" then return nil end -- capture.record, or an array
  end
  local words = {}
  collect(filter, words, {})
  if not words[1] then return nil end
  table.sort(words, function(a, b) return #a > #b end)
  return words
end

--- Whether a text may fit.
---@param words string[]
---@param text string
---@return boolean
function prefilter.may_fit(words, text)
  for i = 1, #words do
    if not text:find(words[i], 1, true) then return text:find("\\", 1, true) ~= nil end
  end
  return true
end

return prefilter
