--- What was typed, kept for the next session: a line an entry, in $XDG_STATE_HOME/itlua/history. Secrets are masked
--- before they are written.

local history = {}

local MAX = 2000 -- entries that are kept

---@class itlua.repl.History
---@field entries string[]
---@field path? string        nil: nothing is kept
---@field wrong? string       why nothing is kept
local History = {}
History.__index = History

local function place()
  local state = os.getenv "XDG_STATE_HOME"
  if not state or state:sub(1, 1) ~= "/" then
    local home = os.getenv "HOME"
    if not home or home == "" then return nil end
    state = home .. "/.local/state"
  end
  return state .. "/itlua"
end

local function escape(entry) return (entry:gsub("\\", "\\\\"):gsub("\n", "\\n"):gsub("[\r%z]", "")) end

local function unescape(line)
  return (line:gsub("\\(.)", function(c) return c == "n" and "\n" or c end))
end

local function read(path)
  local file = io.open(path, "rb")
  if not file then return {} end
  local entries = {}
  for line in file:lines() do
    if line ~= "" and utf8.len(line) then entries[#entries + 1] = unescape(line) end
  end
  file:close()
  return entries
end

local function write_all(path, entries)
  local lines = {}
  for i, entry in ipairs(entries) do lines[i] = escape(entry) .. "\n" end
  require("itlua.fs").write(path, table.concat(lines), { atomic = true, mode = 384 })
end

--- Opens the history.
---@param hide fun(text: string): string
---@return itlua.repl.History
function history.open(hide)
  local self = setmetatable({ entries = {}, hide = hide }, History)
  local folder = place()
  if not folder then
    self.wrong = "there is neither XDG_STATE_HOME nor HOME"
    return self
  end
  local fs = require "itlua.fs"
  local path = folder .. "/history"
  local ok, why = pcall(function()
    if fs.exists(folder) ~= "folder" then fs.mkdir(folder, { mode = 448 }) end
    self.entries = read(path)
    if #self.entries > MAX * 2 then
      self.entries = table.move(self.entries, #self.entries - MAX + 1, #self.entries, 1, {})
      write_all(path, self.entries)
    end
    local file = assert(io.open(path, "ab"))
    file:close()
    fs.chmod(path, 384)
  end)
  if ok then self.path = path
  else self.wrong = type(why) == "table" and why.message or tostring(why):gsub("^.-%.lua:%d+: ", "") end
  return self
end

--- Adds what was typed.
---@param entry string
function History:add(entry)
  if self.entries[#self.entries] == entry then return end
  self.entries[#self.entries + 1] = entry
  if not self.path then return end
  local file = io.open(self.path, "ab")
  if not file then return end
  file:write(escape(self.hide(entry)), "\n")
  file:close()
end

return history
