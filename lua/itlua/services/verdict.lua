--- The verdict on a service that did not get ready: what was waited for, the last error, what became of its process, its
--- last words, and what that looks like.

local core = require "itlua.core"

local verdict = {}

local SIGNS = {
  { "[Aa]ddress already in use", "another program has its port: a server left running, or a fixed port in its settings" },
  { "EADDRINUSE", "another program has its port: a server left running, or a fixed port in its settings" },
  { "[Nn]o space left on device", "the disk, or the memory for /dev/shm, is full" },
  { "could not resize shared memory", "/dev/shm is too small" },
  { "[Pp]ermission denied", "it may not read or write a file, or listen on its port: whose are they?" },
  { "command not found", "a program that its command names is not installed" },
  { "No such file or directory", "a file that its command names does not exist; commands start in the folder of itlua.lua" },
  { "[Cc]annot find module", "its dependencies are not installed" },
  { "ModuleNotFoundError", "its dependencies are not installed" },
  { "module '[^']*' not found", "a Lua module that it requires is not found" },
  { "ECONNREFUSED", "it cannot reach something that it needs: is that another service? Then name it in depends_on" },
  { "[Cc]onnection refused", "it cannot reach something that it needs: is that another service? Then name it in depends_on" },
  { "password authentication failed", "it connects with another user or password than its service has: use ${db.url}" },
  { "Bad directive or wrong number", "one of its settings is not known to this version" },
  { "ConfigException", "one of its settings is not known to this version, or its value is none" },
  { "UnsupportedClassVersionError", "it needs a newer Java: JAVA_HOME, or the first java in PATH, is the one that is used" },
  { "java.lang.OutOfMemoryError", "its heap is full: option jvm = { \"-Xmx512m\" }" },
  { "unrecognized configuration parameter", "one of its settings is not known to this version" },
}

local function likely(entry, log, result)
  for _, sign in ipairs(SIGNS) do
    if log:find(sign[1]) then return sign[2] end
  end
  if not result then
    return ("if it only needs longer: option 'startup_timeout' (now %.6g s)"):format(entry.timeout)
  end
  if result.signal == 9 then return "something killed it (SIGKILL): out of memory?" end
  if result.code == 127 then return "a program that its command names is not installed" end
  if result.code == 126 then return "its command cannot be executed" end
  if result.code == 0 then return "its command was done at once: a service has to stay in the foreground" end
end

local function waited_for(list)
  local lines = {}
  if #list == 0 then lines[1] = "nothing but that it goes on running" end
  for i, condition in ipairs(list) do
    local text = ("%s %s"):format(condition.met and "✓" or "✗", condition.name)
    if not condition.met and condition.last then
      text = ("%s — %s"):format(text, (condition.last:gsub("%s+$", ""):gsub("\n", "\n                    ")))
      if condition.tries > 1 then text = ("%s (last of %d tries)"):format(text, condition.tries) end
    elseif not condition.met then
      text = text .. " — not tried yet"
    end
    lines[i] = text
  end
  return "    waiting for   " .. table.concat(lines, "\n                  ")
end

verdict.last_words = require("itlua.container.verdict").last_words

---@class itlua.services.Failure
---@field code "EXITED"|"NOT_READY"|"PREPARE"|"NO_PROVIDER"|"NEEDS"|"START"
---@field message string

--- On one whose process ended or whose conditions did not come true in time.
---@param entry table            the host's entry: name, title, timeout
---@param list itlua.services.Condition[]
---@param result? itlua.process.Result    of its process, where that ended
---@param log string
---@param seconds number         how long it was waited for
---@return itlua.services.Failure
function verdict.not_ready(entry, list, result, log, seconds)
  local happened
  if result then
    local how = result.signal and "was ended by signal " .. result.signal or "exited with code " .. result.code
    happened = ("its process %s after %.2f s"):format(how, result.seconds)
  else
    happened = ("not within %.3g s"):format(seconds)
  end
  local hint = likely(entry, log, result)
  return {
    code = result and "EXITED" or "NOT_READY",
    message = ("service %s (%s) did not get ready: %s\n\n%s\n%s%s"):format(entry.name, entry.title, happened, waited_for(list),
      verdict.last_words(log), hint and "\n    likely        " .. hint or ""),
  }
end

--- On one that nothing of this machine can provide.
---@param name string
---@param spec itlua.services.Spec
---@param passed string[]
---@return itlua.services.Failure
function verdict.no_provider(name, spec, passed)
  local what = spec.kind .. (spec.version and " " .. spec.version or "")
  return {
    code = "NO_PROVIDER",
    message = ("service %s (%s) cannot be had here\n\n    tried         %s"):format(name, what,
      table.concat(passed, "\n                  ")),
  }
end

--- On one that runs, but whose data could not be made, or which could not be started at all.
---@param entry table
---@param code string
---@param doing string
---@param err any
---@param log string
---@return itlua.services.Failure
function verdict.failed(entry, code, doing, err, log)
  local message = core.is_error(err) and err.message or tostring(err)
  if core.is_error(err) == "container" then -- a verdict of its own
    return { code = err.code or code, message = ("service %s: %s"):format(entry.name, message) }
  end
  return {
    code = code,
    message = ("service %s (%s): %s\n\n    %s\n%s"):format(entry.name, entry.title, doing,
      (message:gsub("\n", "\n    ")), log ~= "" and verdict.last_words(log) or ""),
  }
end

--- On one that needs another which failed.
---@param name string
---@param other string
---@param failure itlua.services.Failure
---@return itlua.services.Failure
function verdict.needs(name, other, failure)
  return { code = "NEEDS", message = ("service %s was not started, for it needs %s:\n%s"):format(name, other, failure.message) }
end

return verdict
