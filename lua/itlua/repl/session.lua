--- A session: chunks run one after the other, each in a task of its own that Ctrl-C cancels; what came of each is kept.

local chunk = require "itlua.repl.chunk"
local core = require "itlua.core"
local system = require "itlua.cli.core"

---@class itlua.repl.Entry         what one chunk came to
---@field text string
---@field expression boolean
---@field ok boolean
---@field values { n: integer, [integer]: any }
---@field error? any
---@field traceback string[]       frames that are not ours
---@field seconds number
---@field mark integer             of the timeline, before it
---@field interrupted? boolean
---@field counts? table<integer, integer>   how many elements the lists had that were too long to be kept

---@class itlua.repl.Session
---@field env table
---@field entries itlua.repl.Entry[]
---@field first integer            the line of the script that the next chunk begins on
---@field scope? table             the failing test's, under --debug
local Session = {}
Session.__index = Session

local session = {}

local KEPT, LONG = 2000, 1000 -- entries; elements of a list

---@param env table
---@param name? string     what errors call its chunks; "repl"
---@return itlua.repl.Session
function session.new(env, name)
  return setmetatable({ env = env, name = "=" .. (name or "repl"), entries = {}, began = core.mark() }, Session)
end

-- Frames of the user's own code, innermost first.
local function frames()
  local list, level = {}, 3
  while #list < 20 do
    local info = debug.getinfo(level, "Slnt")
    if not info then break end
    local ours = info.source:find "^=itlua:" or info.source:find "^@luassert/"
    if info.what ~= "C" and not ours and info.currentline > 0 then
      local what = info.what == "main" and "the chunk" or info.name and ("'%s'"):format(info.name)
        or ("a function of line %d"):format(info.linedefined)
      list[#list + 1] = ("%s:%d: in %s"):format(info.short_src, info.currentline, what)
    end
    level = level + 1
  end
  return list
end

--- Compiles; see chunk.compile.
---@param text string
---@param line? integer    the line of the script that it begins on
function Session:compile(text, line)
  return chunk.compile(line and ("\n"):rep(line - 1) .. text or text, self.name, self.env)
end

-- Runs `fn` in a task that Ctrl-C cancels.
local function interruptible(fn)
  local silent = core.silence(false)
  local running = core.spawn(fn)
  system.on_interrupt(running)
  core.silence(true) -- that we wait is no part of the session's timeline
  local results = table.pack(core.join(running))
  core.silence(silent)
  system.on_interrupt(nil)
  return results
end

session.interruptible = interruptible

--- Runs a compiled chunk.
---@param compiled itlua.repl.Chunk
---@param text string
---@return itlua.repl.Entry
function Session:run(compiled, text)
  local entry = { text = text, expression = compiled.expression, mark = core.mark(), values = { n = 0 }, traceback = {} }
  local began = core.now()
  local results = interruptible(function()
    return xpcall(compiled.run, function(err)
      entry.traceback = frames()
      return err
    end)
  end)
  entry.seconds = core.now() - began
  entry.ok = results[1] and results[2]
  if entry.ok then
    entry.values = table.move(results, 3, results.n, 1, { n = results.n - 2 })
    if compiled.expression and entry.values.n > 0 and entry.values[1] ~= nil then
      rawset(self.env, "_", entry.values[1])
    end
  else
    if results[1] then entry.error = results[3] else entry.error = results[2] end
    entry.interrupted = core.is_error(entry.error) == "cancelled"
  end
  self.entries[#self.entries + 1] = entry
  if #self.entries > KEPT then table.remove(self.entries, 1) end
  return entry
end

--- Lets go of what is too large to be kept for :save.
---@param entry itlua.repl.Entry
function Session:lighten(entry) -- luacheck: no self
  for i = 1, entry.values.n do
    local value = entry.values[i]
    local count = type(value) == "table" and not require("itlua.services.reach").is(value) and rawlen(value) or 0
    if count > LONG then
      entry.counts = entry.counts or {}
      entry.counts[i], entry.values[i] = count, nil
    end
  end
end

return session
