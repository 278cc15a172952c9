--- Assertions about a key of Redis:
--
--     assert.redis(r, "session:1").exists()          .is_not.exists()
--     assert.redis(r, "counter").equals(3)           numbers as Redis has them: text
--     assert.redis(r, "user:1").equals { name = "Ada", tier = "gold" }       a hash; lists and sets likewise
--     assert.redis(r, "user:1").has { tier = "gold" }
--     assert.redis(r, "tags").members { "a", "b" }   in any order; of a set, a sorted set, a list, a hash's fields
--     assert.redis(r, "session:1").ttl(50, 60)       seconds, from and to
--     assert.redis(r, "queue").type "list"

local blame = require "itlua.assert.blame"
local diff = require "itlua.diff"
local match = require "itlua.match"
local show = require "itlua.show"

local redis = {}

local TEXT = "assertion.itlua.text"

local readers = {
  string = function(r, key) return r:get(key) end,
  hash = function(r, key) return r:hgetall(key) end,
  list = function(r, key) return r:lrange(key, 0, -1) end,
  set = function(r, key)
    local members = r:smembers(key)
    table.sort(members)
    return members
  end,
  zset = function(r, key)
    local flat, scores = r:zrange(key, 0, -1, "WITHSCORES"), {}
    for i = 1, #flat, 2 do scores[flat[i]] = tonumber(flat[i + 1]) end
    return scores
  end,
}

local function value_of(about)
  local kind = about.r:type(about.key)
  if kind == "none" then return nil, kind end
  local reader = readers[kind]
  if not reader then blame.usage(("assert.redis cannot compare a %s; its type and ttl it can"):format(kind)) end
  return reader(about.r, about.key), kind
end

-- What Redis keeps is text: 3 is "3".
local function as_stored(expected, kind)
  if type(expected) ~= "table" then return type(expected) == "number" and kind ~= "zset" and tostring(expected) or expected end
  local copy = {}
  for key, value in pairs(expected) do copy[key] = as_stored(value, kind) end
  if kind == "set" then table.sort(copy) end
  return copy
end

local checks = {}

function checks.exists(about)
  local there = about.r:exists(about.key) == 1
  return there, ("Expected the key %s to exist; it does not."):format(about.key),
    ("Expected no key %s; there is a %s."):format(about.key, there and about.r:type(about.key) or "")
end

local function compared(compare)
  return function(about, args)
    local value, kind = value_of(about)
    local negated = ("Expected something else at %s."):format(about.key)
    if kind == "none" then
      return false, ("Expected %s at %s; there is no such key."):format(show.value(args[1], 200), about.key), negated
    end
    local text = compare(as_stored(args[1], kind), value)
    return text == nil, ("The %s at %s differs.\n\n  %s"):format(kind, about.key, (text or ""):gsub("\n", "\n  ")), negated
  end
end

checks.equals = compared(function(expected, got) return diff.of(expected, got) end)
checks.has = compared(function(expected, got) return diff.text(diff.partial(expected, got, match.matcher)) end)

-- Names, in any order: of a set, a sorted set, a list; of a hash its fields.
local function names_of(value, kind)
  local names = {}
  if kind == "hash" or kind == "zset" then
    for name in pairs(value) do names[#names + 1] = name end
  else
    table.move(value, 1, #value, 1, names)
  end
  table.sort(names)
  return names
end

function checks.members(about, args)
  local expected, value, kind = args[1], value_of(about)
  if type(expected) ~= "table" then blame.usage("members needs a list, not " .. show.value(expected)) end
  if kind == "string" then blame.usage(("members: at %s there is a string"):format(about.key)) end
  local wanted = {}
  for i, name in ipairs(expected) do wanted[i] = tostring(name) end
  table.sort(wanted)
  local negated = ("Expected other members of %s than %s."):format(about.key, show.value(wanted, 200))
  if kind == "none" then
    return false, ("Expected the members %s of %s; there is no such key."):format(show.value(wanted, 200), about.key), negated
  end
  local text = diff.of(wanted, names_of(value, kind))
  return text == nil, ("The members of %s differ.\n\n  %s"):format(about.key, (text or ""):gsub("\n", "\n  ")), negated
end

function checks.ttl(about, args)
  local from, to = args[1] or 0, args[2] or math.huge
  local left = about.r:pttl(about.key) / 1000
  local said = left == -0.002 and "there is no such key" or left == -0.001 and "it never expires"
    or ("it has %.3g s"):format(left)
  return left >= from and left <= to,
    ("Expected %s to live for another %g to %g s; %s."):format(about.key, from, to, said),
    ("Expected %s not to live for another %g to %g s; %s."):format(about.key, from, to, said)
end

function checks.type(about, args)
  local kind = about.r:type(about.key)
  return kind == args[1], ("Expected a %s at %s; there is %s."):format(tostring(args[1]), about.key,
    kind == "none" and "no such key" or "a " .. kind), ("Expected no %s at %s."):format(kind, about.key)
end

checks.equal, checks.same, checks.matches = checks.equals, checks.equals, checks.has

local Subject = {}

local function subject(luassert, about, negated)
  return setmetatable({ luassert = luassert, about = about, negated = negated }, Subject)
end

local fillers = { is = true, does = true, with = true, of = true }

function Subject.__index(self, key)
  local negated, found = rawget(self, "negated"), nil
  for word in tostring(key):lower():gmatch "[^_]+" do
    if word == "not" or word == "no" then
      negated = not negated
    elseif checks[word] then
      found = checks[word]
    elseif not fillers[word] then
      blame.usage(("there is no '%s' for a key (there is exists, equals, has, members, ttl, type)"):format(word))
    end
  end
  local luassert, about = rawget(self, "luassert"), rawget(self, "about")
  if not found then return subject(luassert, about, negated) end
  return function(...)
    local ok, expected, unexpected = found(about, { n = select("#", ...), ... })
    if ok == negated then luassert(false, negated and unexpected or expected, luassert:level(2)) end
    return subject(luassert, about, false)
  end
end

---@param luassert table
function redis.install(luassert)
  luassert:register("assertion", "redis", function(_, args)
    if type(args[1]) ~= "table" or type(args[2]) ~= "string" then blame.usage "assert.redis needs a client and a key" end
    return true, { subject(luassert, { r = args[1], key = args[2] }, false), n = 1 }
  end, TEXT, TEXT)
end

return redis
