--- `jsonl`: the events themselves, one JSON object a line, as they come. `itlua report FILE…` reads them again. A problem
-- takes the source around it along, so that a report of a recording shows it on another machine, too.

local anatomy = require "itlua.report.anatomy"
local json_text = require "itlua.report.json_text"

local encode, string_of, math_type = json_text.encode, json_text.string, math.type

local jsonl = { wants_timelines = true, interleaved = true }

local order = { "ev", "file", "id", "block", "parent", "kind", "status", "name" }

-- How events of a kind are written: their keys in order, and '"key":' of each. Learned as they come, since there are
-- many events and few kinds.
local function learn(shape, ev)
  local keys = shape and shape.keys or {}
  local known = shape and shape.known or {}
  for key in next, ev do
    if not known[key] then
      known[key] = true
      keys[#keys + 1] = key
    end
  end
  local rank = {}
  for i, key in ipairs(order) do rank[key] = i end
  table.sort(keys, function(a, b)
    local ra, rb = rank[a] or 1000, rank[b] or 1000
    if ra ~= rb then return ra < rb end
    return a < b
  end)
  local heads = {}
  for i, key in ipairs(keys) do heads[i] = json_text.string(key) .. ":" end
  return { keys = keys, known = known, heads = heads }
end

local Reporter = {}
Reporter.__index = Reporter

-- The problem with its lines of source.
local function with_source(self, ev)
  if ev.kind == "pending" or ev.excerpt then return ev end
  local started = self.started[ev.file]
  local excerpt, line = anatomy.excerpt({ event = ev, test = started and started.id == ev.id and started or nil,
    message = ev.message, traceback = ev.traceback }, self.sources)
  if not excerpt then return ev end
  local copy = { excerpt = excerpt, excerpt_line = line }
  for key, value in pairs(ev) do copy[key] = value end
  return copy
end

function Reporter:event(ev)
  if ev.ev == "test_start" then self.started[ev.file] = ev
  elseif ev.ev == "problem" and ev.file then ev = with_source(self, ev) end
  local shape = self.shapes[ev.ev]
  local known = shape and shape.known
  for key in next, ev do
    if not (known and known[key]) then
      shape = learn(shape, ev)
      self.shapes[ev.ev] = shape
      break
    end
  end
  local parts, n = {}, 0
  local keys, heads = shape.keys, shape.heads
  for i = 1, #keys do
    local value = ev[keys[i]]
    if value ~= nil then
      n = n + 1
      local kind = type(value)
      if kind == "string" then
        parts[n] = heads[i] .. string_of(value)
      elseif math_type(value) == "integer" then
        parts[n] = heads[i] .. value
      else
        parts[n] = heads[i] .. encode(value)
      end
    end
  end
  self.out("{" .. table.concat(parts, ",") .. "}\n")
end

---@param opts table           see report.new
---@param out fun(text: string)
function jsonl.new(opts, out)
  return setmetatable({ out = out, shapes = {}, started = {}, sources = anatomy.sources(opts.read, opts.mask) }, Reporter)
end

return jsonl
