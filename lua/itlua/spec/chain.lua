--- luassert's `assert.is_not.equal(…)`, faster: what a chain of words means is worked out once, and an assertion that
-- plainly holds is not put through luassert's machinery. Everything else is: the same callbacks with the same
-- arguments, the same messages, the same object for a chain that a spec keeps in a variable. See luassert/assert.lua.

local luassert = require "luassert"
local namespaces = require "luassert.namespaces"
local outcome = require "itlua.spec.outcome"
local quick = require "itlua.spec.quick"
local say = require "say"
local state = require "luassert.state"
local util = require "luassert.util"

local chain = {}

local ipairs, pcall, rawget, rawset, select, setmetatable = ipairs, pcall, rawget, rawset, select, setmetatable

-- A node is a chain of words: `tokens` are the words, `next` the numbers of the nodes one key further. A state, the
-- object that a chain evaluates to, holds the number of its node (so that copies of it are worth as much as it is).
local NODE <const> = 1
local nodes = {}

local function new_node(tokens)
  local number = #nodes + 1
  nodes[number] = { tokens = tokens, next = {} }
  return number
end

local START <const> = 1
new_node {}
local generation = 0 -- counts registrations: what was worked out before is void

-- A state that is used in a loop collects words for ever: after so many, luassert's own kind takes over.
local LONGEST <const> = 24
local plain_meta = getmetatable(luassert.state())

local meta = {}

-- Goes one key further: the number of that node, nil when there are too many words.
local function follow(node, key)
  local tokens = table.move(node.tokens, 1, #node.tokens, 1, {})
  for token in key:lower():gmatch("[^_]+") do tokens[#tokens + 1] = token end
  if #tokens > LONGEST and node.tokens[1] then return nil, tokens end
  local number = new_node(tokens)
  node.next[key] = number
  return number
end

function meta.__index(self, key)
  local node = nodes[rawget(self, NODE)]
  if key == "tokens" then return table.move(node.tokens, 1, #node.tokens, 1, {}) end
  local number = node.next[key]
  if not number then
    local tokens
    number, tokens = follow(node, key)
    if tokens then
      rawset(self, "tokens", tokens)
      setmetatable(self, plain_meta)
    end
  end
  self[NODE] = number
  return self
end

local extensions_loaded = false

-- A word of luassert's that is also one of ours: assert.table(db, "orders").
local function is_ours_too(node)
  return #node.tokens == 1 and node.tokens[1] == "table"
end

-- Our own assertions are registered when the first unknown word comes up. What a spec registered by then stays.
local function load_extensions()
  extensions_loaded = true
  local theirs = {}
  for space, entries in pairs(namespaces) do
    theirs[space] = {}
    for name, entry in pairs(entries) do theirs[space][name] = entry end
  end
  require("itlua.assert").install(luassert)
  for space, entries in pairs(theirs) do
    for name, entry in pairs(entries) do namespaces[space][name] = entry end
  end
end

-- What the node's words mean now.
local function work_out(node, keys)
  node.generation, node.keys = generation, keys
  local modifiers, negations, pristine = {}, 0, true
  node.key, node.assertion = nil, nil
  for _, key in ipairs(keys) do
    if namespaces.assertion[key] then node.key, node.assertion = key, namespaces.assertion[key] end
  end
  for _, key in ipairs(keys) do
    local modifier = namespaces.modifier[key]
    if modifier then
      modifiers[#modifiers + 1] = modifier
      if modifier.callback == quick.negation then
        negations = negations + 1
      elseif modifier.callback ~= quick.no_op then
        pristine = false
      end
    end
  end
  node.modifiers, node.negates = modifiers, negations % 2 == 1
  node.quick = pristine and node.assertion and quick.by_callback[node.assertion.callback] or nil
end

local function message_of(text_key, failure_message, arguments)
  if util.hastostring(failure_message) then
    failure_message = tostring(failure_message)
  elseif failure_message ~= nil then
    failure_message = state.format_argument(failure_message)
  end
  local message = say(text_key, luassert:format(arguments))
  if message and failure_message then message = failure_message .. "\n" .. message end
  return message or failure_message
end

-- The caller of an assertion is always one level above the function that checks it: see util.errorlevel.
local CALLER = 2

function meta.__call(self, ...)
  local node = nodes[rawget(self, NODE)]
  if node.generation ~= generation or (node.key and namespaces.assertion[node.key] ~= node.assertion) then
    if not extensions_loaded and (is_ours_too(node) or not pcall(util.extract_keys, "assertion", node.tokens)) then
      load_extensions()
    end
    work_out(node, util.extract_keys("assertion", node.tokens))
  end

  local entry = node.quick
  if entry then
    local mod = self.mod
    if node.negates then mod = not mod end
    local n = select("#", ...)
    if entry.holds(mod, n, ...) then
      self.mod = mod
      if n >= entry.message_at then
        local message = select(entry.message_at, ...)
        if message ~= nil then self.failure_message = message end
      end
      return ...
    end
  end

  local assertion = node.assertion
  if not assertion then
    local arguments = util.make_arglist(...)
    self[NODE] = START
    for _, modifier in ipairs(node.modifiers) do modifier.callback(self, arguments, CALLER) end
    return self
  end

  for _, modifier in ipairs(node.modifiers) do modifier.callback(self) end
  local arguments = util.make_arglist(...)
  local holds, results = assertion.callback(self, arguments, CALLER)
  if (not holds) == self.mod then
    outcome.note { assertion = node.key, positive = self.mod, n = select("#", ...), ... }
    local text_key = self.mod and assertion.positive_message or assertion.negative_message
    local message = message_of(text_key, rawget(self, "failure_message"), arguments)
    error(message or "assertion failed!", CALLER)
  end
  if results then return util.unpack(results) end
  return ...
end

--- Puts it in front of luassert.
function chain.install()
  local start = nodes[START]
  luassert.state = function() return setmetatable({ START, mod = true }, meta) end
  getmetatable(luassert).__index = function(_, key)
    return setmetatable({ start.next[key] or follow(start, key), mod = true }, meta)
  end
  for _, name in ipairs { "register", "unregister" } do
    local original = luassert[name]
    luassert[name] = function(...)
      generation = generation + 1
      return original(...)
    end
  end
end

--- The functions that raise failures, through a global `error` of their own.
chain.raisers = { meta.__call, plain_meta.__call }

return chain
