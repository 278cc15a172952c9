--- What differs between two values, for people: the paths that differ first, what is equal left out.
--
--     3 of 41 values differ
--       items[1].quantity   expected 2       got 3
--       total               expected 12.5    got "12.50"     (number, string)
--       shipped_at          expected null    missing
--
-- Equal is what luassert's `same` takes for equal. Bounded for huge values, safe for cycles. The comparison can
-- also be partial (what is not expected does not matter) and honours matchers in the expected value then.

local null = require "itlua.null"
local align = require "itlua.diff.align"
local diff_text = require "itlua.diff.text"
local show = require "itlua.show"

local diff = {}

local max_visits = 200000 -- pairs of values looked at
local max_depth = 100

---@class itlua.diff.entry
---@field path string
---@field expected any
---@field got any
---@field missing? boolean     not there at all
---@field unexpected? boolean  there, and should not be
---@field note? string         said instead of both values

---@class itlua.diff.result
---@field entries itlua.diff.entry[]
---@field total integer        values looked at
---@field cut boolean          there was more than could be looked at
---@field objects? boolean     some of what came was an object that looks its fields up, see fields_of

local function is_array(t)
  local n = #t
  if n == 0 then return false end
  local count = 0
  for key in next, t do
    if math.type(key) ~= "integer" or key < 1 or key > n then return false end
    count = count + 1
  end
  return count == n
end

-- How many values there are in a value: what a differing table stands for in "3 of 41".
local function leaves(value, state, depth)
  if type(value) ~= "table" or next(value) == nil or depth > max_depth or state.on_path[value] then return 1 end
  state.on_path[value] = true
  local n = 0
  for _, item in next, value do
    n = n + leaves(item, state, depth + 1)
    if n > 10000 then break end
  end
  state.on_path[value] = nil
  return math.max(n, 1)
end

local function add(state, entry)
  state.entries[#state.entries + 1] = entry
end

-- nil: not decided by a metamethod.
local function by_metamethod(a, b, depth)
  local mt_a, mt_b = debug.getmetatable(a), debug.getmetatable(b)
  if depth > 1 and mt_a and mt_a == mt_b and rawget(mt_a, "__eq") then return a == b end
  if rawequal(a, b) then return true end
end

local compare

-- An object that looks its fields up (headers, whose names have no case) as a plain table, by the names that the other
-- side uses; nil for a plain one.
local function fields_of(object, other)
  local mt = debug.getmetatable(object)
  if next(object) ~= nil or not mt or not rawget(mt, "__pairs") or not rawget(mt, "__index") then return nil end
  local ok, fields = pcall(function()
    local found, seen = {}, {}
    for key in next, other do
      local value = object[key]
      if value ~= nil and type(value) ~= "function" then found[key], seen[tostring(key):lower()] = value, true end
    end
    for key, value in pairs(object) do
      local name = tostring(key):lower()
      if not seen[name] then found[name] = value end
    end
    return found
  end)
  return ok and fields or nil
end

-- Elements of two arrays that moved because one was put in or taken out: aligned, so that only those are named.
local function compare_arrays(state, path, a, b, depth)
  local steps = align.arrays(a, b)
  if not steps then return false end
  for _, step in ipairs(steps) do
    if step.a and step.b then
      compare(state, path .. show.key(step.a, path == ""), a[step.a], b[step.b], depth + 1)
    elseif step.a then
      state.total = state.total + leaves(a[step.a], state, 1)
      add(state, { path = path .. show.key(step.a, path == ""), expected = a[step.a], missing = true })
    else
      state.total = state.total + leaves(b[step.b], state, 1)
      add(state, { path = path .. show.key(step.b, path == ""), got = b[step.b], unexpected = true })
    end
  end
  return true
end

local compare_tables

function compare_tables(state, path, a, b, depth)
  local decided = by_metamethod(a, b, depth)
  if decided ~= nil then
    if decided then
      state.total = state.total + leaves(a, state, 1)
    else
      state.total = state.total + 1
      add(state, { path = path, expected = a, got = b })
    end
    return
  end
  -- A pair that is being compared further up is equal as far as this place is concerned.
  local inside = state.pairs[a]
  if inside and inside[b] or depth > max_depth then return end
  inside = inside or {}
  state.pairs[a], inside[b] = inside, true
  local fields = fields_of(b, a)
  if fields then
    state.objects = true
    compare_tables(state, path, a, fields, depth + 1)
  elseif next(a) == nil and next(b) == nil then
    state.total = state.total + 1
  elseif is_array(a) and is_array(b) then
    if #a == #b or not compare_arrays(state, path, a, b, depth) then
      for i = 1, math.max(#a, #b) do
        compare(state, path .. show.key(i, path == ""), rawget(a, i), rawget(b, i), depth + 1)
        if state.cut then break end
      end
    end
  else
    for _, key in ipairs(show.keys(a, b)) do
      compare(state, path .. show.key(key, path == ""), rawget(a, key), rawget(b, key), depth + 1)
      if state.cut then break end
    end
  end
  inside[b] = nil
end

function compare(state, path, a, b, depth)
  state.visits = state.visits + 1
  if state.visits > max_visits then
    state.cut = true
    return
  end
  if type(a) == "table" and type(b) == "table" then return compare_tables(state, path, a, b, depth) end
  if a == b then
    state.total = state.total + 1
    return
  end
  state.total = state.total + math.max(leaves(a, state, 1), leaves(b, state, 1))
  add(state, { path = path, expected = a, got = b, missing = b == nil or nil, unexpected = a == nil or nil })
end

local function new_state()
  return { entries = {}, total = 0, visits = 0, pairs = {}, on_path = {}, cut = false }
end

--- Compares two values deeply.
---@param expected any
---@param got any
---@param path? string     where in a document both are
---@return itlua.diff.result
function diff.compare(expected, got, path)
  local state = new_state()
  compare(state, path or "", expected, got, 1)
  return state
end

-- ---- partial: is the expected part of what came?

local partial

-- Each expected element has to be found in the array, in any order, one for one.
local function partial_array(state, path, expected, got, depth)
  local free, missing = {}, {}
  for i = 1, #got do free[i] = true end
  local function fits(item, j)
    local trial = new_state()
    trial.matcher = state.matcher
    partial(trial, "", item, got[j], depth + 1)
    return #trial.entries == 0, trial
  end
  for i, item in ipairs(expected) do
    local found
    -- Its own place first: the usual case, and the best message.
    if free[i] and fits(item, i) then found = i end
    for j = 1, #got do
      if found or state.visits > max_visits then break end
      state.visits = state.visits + 1
      if free[j] and j ~= i and fits(item, j) then found = j end
    end
    if found then
      free[found] = nil
      state.total = state.total + leaves(item, state, 1)
    else
      missing[#missing + 1] = i
    end
  end
  for _, i in ipairs(missing) do
    local nearest, least
    for j = 1, #got do
      if free[j] then
        local _, trial = fits(expected[i], j)
        if not least or #trial.entries < least or (#trial.entries == least and j == i) then
          nearest, least = j, #trial.entries
        end
      end
    end
    if nearest and type(expected[i]) == "table" and type(got[nearest]) == "table" then
      free[nearest] = nil
      partial(state, path .. show.key(nearest, path == ""), expected[i], got[nearest], depth + 1)
    else
      state.total = state.total + 1
      add(state, { path = path .. show.key(i, path == ""), expected = expected[i], got = got[i],
        missing = got[i] == nil or nil })
    end
  end
end

function partial(state, path, expected, got, depth)
  state.visits = state.visits + 1
  if state.visits > max_visits or depth > max_depth then
    state.cut = true
    return
  end
  local is_matcher, accepts, words = state.matcher(expected)
  if is_matcher then
    state.total = state.total + 1
    if not accepts(got) then add(state, { path = path, words = words, got = got, missing = got == nil or nil }) end
    return
  end
  if type(expected) ~= "table" or type(got) ~= "table" then return compare(state, path, expected, got, depth) end
  local inside = state.pairs[expected]
  if rawequal(expected, got) or inside and inside[got] then return end
  inside = inside or {}
  state.pairs[expected], inside[got] = inside, true
  if is_array(expected) and (is_array(got) or next(got) == nil) then
    partial_array(state, path, expected, got, depth)
  else
    for _, key in ipairs(show.keys(expected)) do
      partial(state, path .. show.key(key, path == ""), rawget(expected, key), got[key], depth + 1)
    end
  end
  inside[got] = nil
end

--- Whether `expected` is part of `got`: keys that it does not name do not matter, an array's elements are looked for
--- in any order.
---@param expected any
---@param got any
---@param matcher? fun(value: any): boolean, (fun(got: any): boolean)?, string?   tells matchers: accepts what, in words
---@return itlua.diff.result
function diff.partial(expected, got, matcher)
  local state = new_state()
  state.matcher = matcher or function() return false end
  partial(state, "", expected, got, 1)
  return state
end

-- ---- text

---@class itlua.diff.options
---@field max? integer     entries shown, 20

--- A result as text, or nil where nothing differs.
---@param result itlua.diff.result
---@param options? itlua.diff.options
---@return string?
function diff.text(result, options)
  if #result.entries == 0 then return nil end
  return diff_text.of(result, options and options.max or 20)
end

--- The difference between two values as text, or nil where there is none.
---@param expected any
---@param got any
---@param options? itlua.diff.options
---@return string?
function diff.of(expected, got, options)
  return diff.text(diff.compare(expected, got), options)
end

local comparing = { same = true, equal = true, equals = true }

--- The readable difference behind a failed assertion, or nil where there is nothing to add to its message.
---@param evidence table     { assertion = "same", positive = true, n = 2, expected, got }: its name, whether it was not
---                           negated, its arguments
---@return string?
function diff.of_failure(evidence)
  if type(evidence) ~= "table" or not comparing[evidence.assertion] then return nil end
  if evidence.positive == false or (evidence.n or 2) < 2 then return nil end
  local expected, got = evidence[1], evidence[2]
  local result = diff.compare(expected, got)
  local identity = evidence.assertion ~= "same" and type(expected) == "table" and type(got) == "table"
  if #result.entries == 0 then
    if identity then return "both have the same content, but they are two tables: assert.same compares content" end
    if result.objects then return "both have the same fields, but what came is an object that looks them up, no plain table" end
    return nil
  end
  local text = diff_text.of(result, 20)
  if identity then text = text .. "\n(assert.equal wants the very same table; assert.same compares content)" end
  return text
end

diff.null = null

return diff
