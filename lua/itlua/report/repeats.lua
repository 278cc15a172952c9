--- Operations that a test repeats over and over, as who polls does, told once: "GET state, sleep 0.05 s: 8 times more".

local exchange = require "itlua.report.exchange"
local text = require "itlua.report.text"

local repeats = {}

local LONGEST <const> = 4 -- operations that are repeated together
local LEAST <const> = 3   -- times

-- What makes two operations the same to a reader.
local function key_of(span)
  return table.concat({ span.what, span.detail, span.outcome, exchange.short(span) or "", tostring(span.log) }, "\0")
end

-- How often the `n` operations from `at` on come in a row.
local function times_in_a_row(keys, at, n)
  local times, i = 1, at + n
  while i + n - 1 <= #keys do
    for j = 0, n - 1 do
      if keys[i + j] ~= keys[at + j] then return times end
    end
    times, i = times + 1, i + n
  end
  return times
end

---@class itlua.report.repeated     stands in a timeline for what was repeated
---@field at number       seconds, when it first came again
---@field seconds number  from then to the end of the last
---@field of integer      the operations before it that are meant
---@field times integer   how often they came again

--- The timeline with what comes again and again told once, and an itlua.report.repeated after it.
---@param spans itlua.report.span[]
---@return (itlua.report.span|itlua.report.repeated)[]
function repeats.folded(spans)
  local keys, list, at = {}, {}, 1
  for i, span in ipairs(spans) do keys[i] = key_of(span) end
  while at <= #spans do
    local of, times = 1, 1
    for n = 1, math.min(LONGEST, (#spans - at + 1) // LEAST) do
      local found = times_in_a_row(keys, at, n)
      if found >= LEAST and found * n > of * times then of, times = n, found end
    end
    for i = at, at + of - 1 do list[#list + 1] = spans[i] end
    if times > 1 then
      local first, last = spans[at + of], spans[at + of * times - 1]
      list[#list + 1] = { at = first.at, seconds = last.at + last.seconds - first.at, of = of, times = times - 1 }
    end
    at = at + of * times
  end
  return list
end

--- What is said of them.
---@param repeated itlua.report.repeated
---@return string
function repeats.words(repeated)
  return ("%s %s more"):format(repeated.of == 1 and "the same," or ("these %d,"):format(repeated.of),
    text.count(repeated.times, "time"))
end

return repeats
