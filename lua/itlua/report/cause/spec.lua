--- Causes in the spec itself, or in how it was run: its deadline, a module that is not found.

local cause = require "itlua.report.cause"
local text = require "itlua.report.text"

local function what_of(wait)
  local what, detail = wait.what:match "^[^.]*", text.clip(text.one_line(wait.detail), 100)
  return detail == "" and what or what .. " " .. detail
end

-- Nothing was waited for.
local function computing(facts)
  local problem = facts.problem
  local said = facts.message:match "^[^\n]*"
  if facts.kind ~= "timeout" or facts.code or not said:find "^stopped after [%d.e+-]+ s$" then return nil end
  local where = problem.source and problem.line and problem.line > 0 and ("%s:%d"):format(problem.source, problem.line)
  return { "it waited for nothing: it was computing until its time was over",
    where and ("look at the loop at %s: does it end? What needs longer than that gets a --timeout of its own"):format(where)
      or nil }, "computing " .. (where or "")
end

local function deadline(facts)
  local longest = facts.waits[1]
  if not longest then return computing(facts) end
  for _, wait in ipairs(facts.waits) do
    -- A wait for a task is explained by what that task waits for.
    if longest.what:find "^task" and not wait.what:find "^task" then longest = wait end
  end
  local key = "deadline " .. what_of(longest):gsub("%d+", "#")
  local lines = { ("its time was over while it waited for %s, for %s"):format(what_of(longest),
    text.duration(longest.seconds)) }
  if longest.what:find "^http" then
    local url = longest.detail:match "(%a+://%S+)"
    local service = url and facts:service_at(cause.address(url))
    if service then
      local words = facts:last_words(service.name)
      lines[2] = service.state ~= "ready" and ("service %s: %s"):format(service.name, cause.state_of(service))
        or words and ("service %s said last: %s"):format(service.name, words) or nil
      key = "deadline http " .. service.name
    end
    lines[#lines + 1] = "a client with a timeout of its own says more: http.client{ timeout = 2 }"
  elseif longest.what:find "^sql" then
    lines[2] = facts:holder() or "a statement that takes this long mostly waits for a lock: is a transaction open "
      .. "elsewhere in this "
      .. "test, or in the server?"
  elseif longest.what == "redis" then
    lines[2] = "a blocking command, or a server that stands still"
  elseif longest.what == "service" then
    lines[2] = ("the first test that asks for a service waits until it is ready; in a setup it has more time: "
      .. "setup(function() services.%s:start() end)"):format(longest.detail)
  elseif longest.what == "sleep" then
    lines[2] = "a sleep longer than the test may take: task.eventually waits for a condition, and no longer than needed"
  end
  return lines, key
end

local function no_module(facts)
  local name = facts:says "module '([^']+)' not found"
  if not name then return nil end
  return { ("no module %s is found on the paths above: is it installed, and is its folder in lpath of itlua.lua "
    .. "(or --lpath)?"):format(name) },
    "module " .. name
end

local function crashed(facts)
  if facts.kind ~= "crash" then return nil end
  return { "a C library that the spec loads, or itlua, has crashed: a core dump or a run under gdb shows where" }, "crash"
end

local function interrupted(facts)
  if facts.kind ~= "cancelled" or not facts.message:find "interrupted" then return nil end
  return { "the run was interrupted while it ran" }, "interrupted"
end

return { deadline, no_module, crashed, interrupted }
