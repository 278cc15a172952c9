--- A piece of Lua as somebody types it: an expression or statements, whole or to be continued on the next line.

local chunk = {}

-- Lua says of what could be continued that the end came too soon.
local function is_unfinished(why)
  return why:find "<eof>'?$" ~= nil
end

-- Locals of the chunk itself, at its end, become globals of the session: the next chunk knows them.
local function keep(env)
  local i = 1
  while true do
    local name, value = debug.getlocal(3, i)
    if not name then return end
    if name:find "^[%a_]" then rawset(env, name, value) end
    i = i + 1
  end
end

---@class itlua.repl.Chunk
---@field run function
---@field expression boolean      its values are to be shown
---@field names boolean           it has locals of its own

--- Compiles what was typed.
---@param text string
---@param name string            what errors call it: "=repl"
---@param env table
---@return itlua.repl.Chunk? chunk
---@return string? wrong
---@return boolean? unfinished   it could be continued
function chunk.compile(text, name, env)
  -- The blank lines in front of it stay: they make the lines' numbers right.
  local before, rest = text:match "^(%s*)=?(.*)$"
  -- An assertion gives back what it was given: nobody wants to see that.
  local run = not rest:find "^assert%f[^%w_]" and load(before .. "return " .. rest, name, "t", env) or nil
  if run then return { run = run, expression = rest:find "%S" ~= nil, names = false } end
  local why
  run, why = load(text, name, "t", env)
  if not run then return nil, why, is_unfinished(why) end
  -- What it returns is to be shown, as what an expression comes to.
  if text:find "%f[%w_]return%f[^%w_]" and not load(text .. "\n;(nil)()", name, "t", env) then
    return { run = run, expression = true, names = false }
  end
  if text:find "%f[%w_]local%f[^%w_]" then
    local keeping = load(text .. "\n;(...)()", name, "t", env)
    if keeping then
      return { run = function() return keeping(function() keep(env) end) end, expression = false, names = true }
    end
  end
  return { run = run, expression = false, names = false }
end

return chunk
