-- A real browser for the specs of the HTML report: Chromium without a window, driven through its debugging pipe
-- (--remote-debugging-pipe: JSON messages that end with a NUL byte, here on the program's stdin and stdout).
local fs = require "itlua.fs"
local json = require "itlua.json"
local process = require "itlua.process"

local chromium = {}

local TIMEOUT = 60 -- seconds for an answer; a busy machine may take its time

local Page = {}
Page.__index = Page

local function program()
  for _, name in ipairs { "chromium", "chromium-browser", "google-chrome" } do
    if process.run({ "sh", "-c", "command -v " .. name }).code == 0 then return name end
  end
end

--- Whether there is a browser here.
function chromium.installed() return program() ~= nil end

-- The next message of the browser.
local function receive(self)
  while true do
    local message, rest = self.pending:match "^([^\0]*)\0(.*)$"
    if message then
      self.pending = rest
      return json.decode(message)
    end
    local more = self.process:read { timeout = TIMEOUT }
    if not more then error("chromium ended: " .. self.process:output "stderr", 0) end
    self.pending = self.pending .. more
  end
end

local function note(self, message)
  local method, p = message.method, message.params
  if method == "Runtime.exceptionThrown" then
    local details = p.exceptionDetails
    self.errors[#self.errors + 1] = details.exception and details.exception.description or details.text
  elseif method == "Log.entryAdded" and p.entry.level == "error" then
    self.errors[#self.errors + 1] = p.entry.text
  elseif method == "Runtime.consoleAPICalled" then
    self.errors[#self.errors + 1] = "console." .. p.type
  elseif method == "Network.requestWillBeSent" then
    self.requests[#self.requests + 1] = p.request.url
  elseif method == "Page.loadEventFired" then
    self.loaded = true
  elseif method == "Page.javascriptDialogOpening" then
    self.errors[#self.errors + 1] = "dialog: " .. p.message
  end
end

--- Calls a method of the DevTools protocol.
---@param method string
---@param params? table
---@return table result
function Page:call(method, params)
  self.number = self.number + 1
  local id = self.number
  self.process:write(json.encode { id = id, method = method, params = params or json.object {},
    sessionId = self.session } .. "\0")
  while true do
    local message = receive(self)
    if message.id == id then
      if message.error then error(method .. ": " .. message.error.message, 2) end
      return message.result
    end
    note(self, message)
  end
end

--- The value of an expression in the page; promises are waited for.
---@param expression string
---@return any
function Page:eval(expression)
  local result = self:call("Runtime.evaluate", { expression = expression, returnByValue = true, awaitPromise = true })
  if result.exceptionDetails then
    local details = result.exceptionDetails
    error(expression .. ": " .. (details.exception and details.exception.description or details.text), 2)
  end
  local value = result.result.value
  if value == json.null then return nil end
  return value
end

--- Opens a file (and a hash in it), and waits until it has loaded.
---@param path string
---@param hash? string
function Page:open(path, hash)
  -- Through an empty page: another hash of the same file alone would load nothing.
  for _, url in ipairs { "about:blank", "file://" .. path .. (hash and "#" .. hash or "") } do
    self.loaded, self.errors, self.requests = false, {}, {}
    self:call("Page.navigate", { url = url })
    while not self.loaded do note(self, receive(self)) end
  end
end

local codes = { Enter = 13, Escape = 27, ArrowDown = 40, ArrowUp = 38, Tab = 9, Home = 36, End = 35 }

--- Presses a key.
---@param key string
function Page:press(key)
  local text = #key == 1 and key or key == "Enter" and "\r" or nil
  local code = codes[key] or key:upper():byte()
  self:call("Input.dispatchKeyEvent", { type = "keyDown", key = key, text = text, windowsVirtualKeyCode = code })
  self:call("Input.dispatchKeyEvent", { type = "keyUp", key = key, windowsVirtualKeyCode = code })
end

--- Types a text, key by key.
function Page:type(text)
  for c in text:gmatch "." do self:press(c) end
end

---@param width integer
---@param height integer
---@param dark? boolean
function Page:size(width, height, dark)
  self:call("Emulation.setDeviceMetricsOverride", { width = width, height = height, deviceScaleFactor = 1,
    mobile = width < 700 })
  self:call("Emulation.setEmulatedMedia", { features = { { name = "prefers-color-scheme", value = dark and "dark"
    or "light" } } })
end

--- A picture of the page, as PNG in base64.
function Page:picture() return self:call("Page.captureScreenshot", { format = "png" }).data end

--- The accessibility tree: {role=, name=, properties=}, in order, what is ignored left out.
function Page:accessible()
  local nodes = {}
  for _, node in ipairs(self:call("Accessibility.getFullAXTree").nodes) do
    if not node.ignored and node.role then
      nodes[#nodes + 1] = { role = node.role.value, name = node.name and node.name.value or "",
        properties = node.properties or {} }
    end
  end
  return nodes
end

function Page:close()
  self.process:close()
  self.folder:close()
end
Page.__close = Page.close

--- A page in a browser of its own.
---@return table page
function chromium.start()
  local folder = fs.tempdir()
  local flags = { "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-extensions",
    "--disable-background-networking", "--disable-component-update", "--remote-debugging-pipe", "--user-data-dir="
      .. folder.path }
  local command = ("exec %s %s about:blank 3<&0 4>&1 >/dev/null"):format(program(), table.concat(flags, " "))
  local self = setmetatable({ folder = folder, process = process.start { "sh", "-c", command }, pending = "",
    number = 0, errors = {}, requests = {} }, Page)
  local target = self:call("Target.createTarget", { url = "about:blank" }).targetId
  self.session = self:call("Target.attachToTarget", { targetId = target, flatten = true }).sessionId
  for _, domain in ipairs { "Page", "Runtime", "Log", "Network", "Accessibility" } do self:call(domain .. ".enable") end
  self:size(1400, 900)
  return self
end

return chromium
