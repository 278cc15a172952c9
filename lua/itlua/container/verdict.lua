--- The verdict on a container that did not get ready: which condition failed and why, what became of the container, its
--- last words, and what that looks like.

local core = require "itlua.core"
local time = require "itlua.time"

local verdict = {}

local LINES = 30 -- of the log

-- ---- parts

local MARKS = { met = "✓", failed = "✗", waiting = "✗" }

local function tries_of(node)
  if node.condition.run or node.tries <= 1 then return "" end
  return (" (last of %d tries)"):format(node.tries)
end

local function tree(node, indent, lines)
  local text = ("%s%s %s"):format(indent, MARKS[node.state], node.condition.name)
  if node.children then
    text = indent .. node.condition.name
  elseif node.state ~= "met" and node.last and not node.last:find("it does not run", 1, true) then
    text = ("%s: %s%s"):format(text, node.last, tries_of(node))
  end
  lines[#lines + 1] = text
  for _, child in ipairs(node.children or {}) do tree(child, indent .. "  ", lines) end
  return lines
end

local function conditions(node)
  local lines = tree(node, "", {})
  for i = 2, #lines do lines[i] = "                  " .. lines[i] end
  return "    waiting for   " .. table.concat(lines, "\n")
end

-- "stopped" is Podman's word for one that it has not tidied up yet.
local ENDED = { exited = true, dead = true, stopped = true }

local function state_line(container, state)
  if not state then return "    container     it is gone" end
  local parts = { (container.id or "?"):sub(1, 12), state.Status }
  if ENDED[state.Status] then
    parts[2] = ("exited (%d)"):format(state.ExitCode or -1)
    parts[3] = state.OOMKilled and "out of memory" or "not out of memory"
  elseif type(state.Health) == "table" and state.Health.Status ~= "" then
    parts[3] = state.Health.Status
  end
  if type(state.Error) == "string" and state.Error ~= "" then parts[#parts + 1] = state.Error end
  return "    container     " .. table.concat(parts, " · ")
end

--- The last lines of a log, as a verdict shows them.
---@param log string
---@return string
function verdict.last_words(log)
  local lines = {}
  for line in log:gmatch "[^\n]+" do lines[#lines + 1] = "      " .. line:gsub("\r", "") end
  if #lines == 0 then return "    it printed nothing" end
  return ("    its last words\n%s"):format(table.concat(lines, "\n", math.max(1, #lines - LINES + 1)))
end

-- ---- what it looks like

local SIGNS = {
  { "superuser password is not specified", "POSTGRES_PASSWORD is missing: add it to option 'env'" },
  { "MYSQL_ROOT_PASSWORD", "MYSQL_ROOT_PASSWORD is missing: add it to option 'env'" },
  { "MARIADB_ROOT_PASSWORD", "MARIADB_ROOT_PASSWORD is missing: add it to option 'env'" },
  { "exec format error", "the image is for another processor: set option 'platform', or use another image" },
  { "[Nn]o space left on device", "the engine's disk is full: docker system prune" },
  { "[Aa]ddress already in use", "two programs in the container want the same port, or it shares the host's network" },
  { "[Rr]ead%-only file system", "it writes where it may not: add a tmpfs, or leave out option 'read_only'" },
  { "[Pp]ermission denied", "a file or folder that it needs belongs to another user: see options 'user' and 'mounts'" },
  { "command not found", "the command is not in the image" },
}

local function likely(state, log, ask, limited)
  if state and state.OOMKilled then return "it needs more memory than option 'memory' allows" end
  for _, sign in ipairs(SIGNS) do
    if log:find(sign[1]) then return sign[2] end
  end
  if state and ENDED[state.Status] then
    if state.ExitCode == 127 then return "the command is not in the image" end
    if state.ExitCode == 126 then return "the command cannot be executed" end
    if state.ExitCode == 137 then
      return "something killed it (SIGKILL)" .. (limited and ": it may need more memory than option 'memory' allows" or "")
    end
    if state.ExitCode == 0 then return "its command was done at once: a server has to stay in the foreground" end
  elseif ask.outcome == "timeout" then
    return ("if it only needs longer: option 'startup_timeout' (now %.6g s)"):format(ask.timeout)
  end
end

-- How long it ran, by the engine's clock.
local function ran(state)
  local ok, started = pcall(time.parse, state.StartedAt)
  local fine, finished = pcall(time.parse, state.FinishedAt)
  return ok and fine and finished >= started and finished - started or nil
end

local function what_happened(state, ask)
  local ended = state and not state.Running and state.Status ~= "created"
  local after = ("after %.3g s"):format(ended and ran(state) or ask.seconds)
  if not state then return "GONE", "the container was removed " .. after end
  if ended then
    local code = state.OOMKilled and "OOM" or "EXITED"
    return code, ("the container %s %s with code %d"):format(state.OOMKilled and "ran out of memory" or "exited", after,
      state.ExitCode or -1)
  end
  local health = type(state.Health) == "table" and state.Health.Status
  if health == "unhealthy" then return "UNHEALTHY", ("its health check says unhealthy %s"):format(after) end
  if ask.outcome == "failed" then return "NOT_READY", "what was waited for cannot come any more, " .. after end
  return "NOT_READY", ("not within %.3g s"):format(ask.seconds)
end

-- ---- all of it

-- The engine says that a container has ended a moment before it knows all about it.
local function final_state(container)
  local ok, info = pcall(container.inspect, container)
  if ok then return info.State end
  return nil, core.is_error(info) == "container" and info.code == "ENGINE_LOST" and info or nil
end

---@class itlua.container.Ask
---@field node itlua.container.Node
---@field outcome "timeout"|"failed"|"interrupted"
---@field interruption any       the error that ended the wait
---@field timeout number
---@field seconds number

--- Raises the verdict as an error of kind "container", with fields exit, oom, logs, seconds.
---@param container itlua.container.Container
---@param ask itlua.container.Ask
function verdict.raise(container, ask)
  local scope = core.enter(5, true) -- when the test's time is over, too
  local ok, err = pcall(function()
    local state, lost = final_state(container)
    if lost then return lost end
    local _, log = pcall(container.logs, container, { tail = LINES })
    log = type(log) == "string" and log or ""
    local code, happened = what_happened(state, ask)
    local limit = state and container:_known().HostConfig.Memory
    local hint = likely(state, log, ask, type(limit) == "number" and limit > 0)
    local text = ("%s did not get ready: %s\n\n%s\n%s\n%s%s"):format(container:label(), happened,
      conditions(ask.node), state_line(container, state),
      verdict.last_words(log), hint and "\n    likely        " .. hint or "")
    local fields = {
      exit = state and state.ExitCode, oom = state and state.OOMKilled or false, logs = log, seconds = ask.seconds,
      container = container.name, image = container.image,
    }
    local interruption = ask.interruption
    if interruption then
      local kind = core.is_error(interruption)
      if kind ~= "timeout" and kind ~= "cancelled" then return interruption end
      return core.error_new(kind, code, interruption.message .. "\n" .. text, fields)
    end
    return core.error_new("container", code, text, fields)
  end)
  core.leave(scope)
  error(err, 0)
  return ok
end

return verdict
