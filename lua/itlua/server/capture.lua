--- Requests to a server as a capture: webhooks.

local base = require "itlua.capture"
local core = require "itlua.core"
local Router = require "itlua.server.router"
local show = require "itlua.show"

local capture = {}

---@class itlua.server.CaptureOptions: itlua.capture.Options
---@field reply? function|table     how the route answers where it has no handler: as a handler, or what one returns

---@class itlua.server.Record: itlua.capture.Record
---@field method string
---@field path string
---@field params table
---@field query table<string, string>
---@field headers itlua.server.Headers
---@field payload string     the body as it came
---@field request itlua.server.request

local function value_of(req, body)
  local kind = (req:header "content-type" or ""):lower()
  if kind:find("application/x-www-form-urlencoded", 1, true) then return (req:form()) end
  if body == "" or not (kind:find("json", 1, true) or kind == "") then return body end
  return base.decode(body)
end

--- Tells the captures of a server about a request, before its handler does.
function capture.see(self, req)
  for i = #self.captures, 1, -1 do
    local one = self.captures[i]
    local route, params = one.router:find(req.method, req.raw_path)
    if route then
      local body = req.body
      one.capture:push {
        value = value_of(req, body), payload = body, method = req.method, path = req.path, params = params or {},
        query = req.query, headers = req.headers, request = req, place = ("%s %s"):format(req.method, req.path),
      }
    end
  end
end

---@param self itlua.server
---@param route string
---@param options? itlua.server.CaptureOptions
---@return itlua.capture
function capture.open(self, route, options)
  local method, pattern = tostring(route):match "^(%u+) +(/.*)$"
  if not method then
    core.usage('server:capture needs a method and a route, "POST /hook", not ' .. show.value(route))
  end
  local reply = options and options.reply
  local router = Router.new()
  router:add(method, pattern, capture.see)
  if reply ~= nil or not self.router:find(method, pattern) then
    local answer = reply == nil and { status = 204 } or reply
    self:route(method, pattern, type(answer) == "function" and answer or function() return answer end)
  end
  local entry = { router = router }
  self.captures = self.captures or {}
  table.insert(self.captures, entry)
  entry.capture = base.new({
    what = "server", name = route,
    progress = function() return { ("%d requests to %s"):format(entry.capture.count + entry.capture.passed, self.url) } end,
    close = function()
      for i, one in ipairs(self.captures) do
        if one == entry then table.remove(self.captures, i) end
      end
    end,
  }, options)
  return entry.capture
end

return capture
