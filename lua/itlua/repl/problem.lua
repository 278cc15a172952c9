--- What went wrong, in words: the message, what kind of error it is, where in the user's own code; nothing of ours.

local core = require "itlua.core"
local text = require "itlua.report.text"

local problem = {}

local MAX_LINES, MAX_FRAMES = 60, 8

-- "repl:1: message" -> "message", "repl:1"
local function split(message)
  local where, rest = message:match "^([^\n:]+:%d+): (.*)$"
  if where and not where:find "[%s/]%a*:%d+$" or where and where:find "%.lua:%d+$" then return rest, where end
  return message, nil
end

local function message_of(err)
  if core.is_error(err) then return err.message or tostring(err), err.where end
  local mt = debug.getmetatable(err)
  if type(err) == "string" then return split(err) end
  if mt and mt.__tostring then
    local ok, words = pcall(tostring, err)
    return ok and words or type(err)
  end
  return ("error object: %s"):format(require("itlua.show").value(err, 200))
end

--- The lines of an entry that failed.
---@param view itlua.repl.View
---@param entry itlua.repl.Entry
---@return string[]
function problem.lines(view, entry)
  local p, out = view.paint, {}
  if entry.interrupted then
    local waiting = tostring(entry.error.message):match ", waiting %S+ s for (.*)$"
    return { p("yellow", ("interrupted after %s"):format(text.duration(entry.seconds))) ..
      (waiting and p("dim", view.hide(", waiting for " .. text.one_line(waiting))) or "") }
  end
  local message, where = message_of(entry.error)
  local kind = core.is_error(entry.error)
  local label = kind and kind .. (entry.error.code and " " .. tostring(entry.error.code) or "") or nil
  local lines = text.lines(text.visible(message))
  for i, line in ipairs(lines) do
    if i > MAX_LINES then
      out[#out + 1] = p("dim", ("… %d more lines"):format(#lines - MAX_LINES))
      break
    end
    out[#out + 1] = (i == 1 and p("red", "✗ ") or "  ") .. (i == 1 and p("bright", line) or line)
  end
  local facts = {}
  if label then facts[#facts + 1] = label .. " error" end
  if where and where ~= "?" then facts[#facts + 1] = "at " .. where end
  if #facts > 0 then out[#out + 1] = "  " .. p("dim", table.concat(facts, " · ")) end
  -- A single frame is the chunk itself, which everybody sees.
  if #entry.traceback > 1 then
    for i, frame in ipairs(entry.traceback) do
      if i > MAX_FRAMES then break end
      out[#out + 1] = "    " .. p("dim", frame)
    end
  end
  for i, line in ipairs(out) do out[i] = view.hide(line) end
  return out
end

--- One line for what does not compile.
---@param view itlua.repl.View
---@param why string
---@return string[]
function problem.syntax(view, why)
  local rest, where = split(why)
  local line = view.paint("red", "✗ ") .. view.paint("bright", text.one_line(rest))
  return { line, "  " .. view.paint("dim", "syntax error" .. (where and " · at " .. where or "")) }
end

return problem
