--- What programs print while a line is being edited appears above it: `print` and `io.write` of the session, and failures of
--- tasks that nobody joined.

local core = require "itlua.core"
local problem = require "itlua.repl.problem"
local task = require "itlua.task"

local output = {}

--- `assert` as in specs: Lua's own until a word of luassert's is asked for.
---@param globals table
function output.bring_assertions(globals)
  local meta = {}
  function meta.__call(_, value, ...)
    if value then return value, ... end
    local message = ...
    error(message == nil and "assertion failed!" or message, 0)
  end
  function meta.__index(_, word)
    meta.__index = require("itlua.assert").install(require "luassert")
    return meta.__index[word]
  end
  globals.assert = setmetatable({}, meta)
end

local function joined(...)
  local parts = table.pack(...)
  for i = 1, parts.n do parts[i] = tostring(parts[i]) end
  return table.concat(parts, "\t")
end

-- A task that fails while nobody waits for it is said at once; joining it raises the error all the same.
local function tell_of_tasks(talk)
  local spawn = task.spawn
  local function watched(fn)
    return function(...)
      local results = table.pack(xpcall(fn, function(err) return err end, ...))
      if results[1] then return table.unpack(results, 2, results.n) end
      if core.is_error(results[2]) ~= "cancelled" then
        local lines = problem.lines(talk.view, { error = results[2], traceback = {} })
        lines[1] = lines[1] .. talk.view.paint("dim", "  (in a background task)")
        talk:say(table.concat(lines, "\n"))
      end
      error(results[2], 0)
    end
  end
  task.spawn = function(fn, ...) -- luacheck: ignore 122
    if type(fn) ~= "function" then return spawn(fn, ...) end
    return spawn(watched(fn), ...)
  end
end

--- Takes over what the session prints.
---@param talk itlua.repl.Talk
function output.take_over(talk)
  tell_of_tasks(talk)
  if not (talk.reader and talk.reader.editing) then return end
  local globals = core.globals()
  local part = "" -- of a line
  globals.print = function(...) talk:say(talk.view.hide(joined(...))) end
  local write = io.write
  globals.io.write = function(...)
    local words = table.pack(...)
    for i = 1, words.n do
      if type(words[i]) ~= "string" and type(words[i]) ~= "number" then return write(...) end
    end
    part = part .. table.concat(words)
    local whole, rest = part:match "^(.*\n)([^\n]*)$"
    if whole then
      talk.reader:print(talk.view.hide(whole))
      part = rest
    end
    return io.output()
  end
  --- What was written without a line's end, once the chunk is over.
  function talk.flush_output()
    if part ~= "" then talk.reader:print(talk.view.hide(part) .. "\n") end
    part = ""
  end
end

return output
