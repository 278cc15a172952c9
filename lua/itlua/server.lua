--- An HTTP server whose handlers are Lua functions.
--
--     local server = require "itlua.server"
--     local srv = server.listen()
--     srv:get("/orders/{id:int}", function(req)
--       return { json = { id = req.params.id } }
--     end)
--     print(srv.url)
--
-- A handler may wait like any other code: each request that waits has a task of its own, one that does not costs none.

local captures = require "itlua.server.capture"
local core = require "itlua.core"
local evidence = require "itlua.evidence"
local mask = require "itlua.mask"
local native = require "itlua.server.core"
local Request = require "itlua.server.request"
local response = require "itlua.server.response"
local Router = require "itlua.server.router"

local server = {}

---@class itlua.server
---@field host string
---@field port integer
---@field url string "http://127.0.0.1:41234", without a slash at the end
---@field get fun(self: itlua.server, pattern: string, ...: function): itlua.server as route("GET", pattern, …)
---@field post fun(self: itlua.server, pattern: string, ...: function): itlua.server as route("POST", pattern, …)
---@field put fun(self: itlua.server, pattern: string, ...: function): itlua.server as route("PUT", pattern, …)
---@field patch fun(self: itlua.server, pattern: string, ...: function): itlua.server as route("PATCH", pattern, …)
---@field delete fun(self: itlua.server, pattern: string, ...: function): itlua.server as route("DELETE", pattern, …)
---@field options fun(self: itlua.server, pattern: string, ...: function): itlua.server as route("OPTIONS", pattern, …)
---@field head fun(self: itlua.server, pattern: string, ...: function): itlua.server as route("HEAD", pattern, …)
local Server = {}
Server.__index = Server
Server.__name = "itlua.server"

local next_request = native.next

-- ---- handling a request

local function log_error(self, req, err, traceback)
  local line = ("%s %s: %s"):format(req.method, req.target, tostring(err))
  self.on_error(traceback and line .. "\n" .. traceback or line, req)
end

local function no_route(req, allowed)
  if not allowed then return { status = 404, text = ("no route for %s %s\n"):format(req.method, req.path) } end
  local allow = { allow = table.concat(allowed, ", ") }
  if req.method == "OPTIONS" then return { status = 204, headers = allow } end
  return { status = 405, headers = allow, text = ("%s allows %s\n"):format(req.path, allow.allow) }
end

local function run_route(self, req)
  local route, params = self.router:find(req.method, req.raw_path)
  if route then
    req.route = route.pattern
    if params then req.params = params end
    return response.only(route.handler(req))
  end
  if self.fallback then return response.only(self.fallback(req)) end
  return no_route(req, params)
end

-- Calls the middleware from the i-th on, the innermost being the route.
local function run_from(self, req, i)
  local middleware = self.middleware[i]
  if not middleware then return run_route(self, req) end
  if middleware.prefix and req.path:sub(1, #middleware.prefix) ~= middleware.prefix then
    return run_from(self, req, i + 1)
  end
  return middleware.fn(req, function() return response.seen(req, run_from(self, req, i + 1)) end)
end

local function is_response(err)
  return type(err) == "table" and math.type(err.status) == "integer" and not core.is_error(err)
end

-- An error's message handler: a raised response needs no traceback, nor does a wait that was ended from outside.
local function with_traceback(err)
  if is_response(err) then return err end
  local kind = core.is_error(err)
  return { err = err, traceback = kind ~= "cancelled" and core.traceback(nil, 2) or nil }
end

local function failed(self, req, err, traceback)
  native.failed(req.handle, tostring(err))
  if req.streaming then native.finish(req.handle, false) end
  if native.gone(req.handle) then return end
  log_error(self, req, err, traceback)
  if not req.streaming then native.reply(req.handle, 500, "internal server error\n", "text/plain; charset=utf-8") end
end

local function handle_and_answer(self, req)
  local result = run_from(self, req, 1)
  if req.streaming then
    native.finish(req.handle, true)
    if result ~= nil and not response.is_streamed(result) then
      core.usage "the handler returned an answer after it had begun to stream one"
    end
  else
    response.send(req, result)
  end
end

local function serve(self, handle, method, path, query)
  local req = Request.new(handle, method, path, query)
  if self.captures then captures.see(self, req) end
  local ok, err = xpcall(handle_and_answer, with_traceback, self, req)
  if not ok and is_response(err) and not req.streaming then
    ok, err = xpcall(response.send, with_traceback, req, err)
  end
  if not ok then failed(self, req, err.err or err, err.traceback) end
  if self.log then self.log(req) end
end

-- ---- the worker tasks

local start_worker

-- A worker takes requests until its wait is ended. One that waits in a handler is replaced by another, so that there is
-- always one left to take the next request.
local function work(self, id)
  local inbox = self.inbox
  while self.workers[id] do
    local handle, method, path, query, alone = next_request(inbox, id)
    if handle then
      if alone then start_worker(self) end
      serve(self, handle, method, path, query)
    elseif handle == nil then
      local abandoned = method
      if not abandoned then break end
      if self.workers[abandoned] then
        core.cancel(self.workers[abandoned], "the client has left")
        self.workers[abandoned] = nil
      end
    end
  end
  self.workers[id] = nil
end

start_worker = function(self)
  self.last_worker = self.last_worker + 1
  local id = self.last_worker
  self.workers[id] = true
  self.workers[id] = core.daemon(work, self, id)
end

-- ---- routes

-- One handler of several functions: all but the last are middleware of this route.
local function compose(pattern, ...)
  local functions = table.pack(...)
  for i = 1, functions.n do
    if type(functions[i]) ~= "function" then
      core.usage(("route %s: argument %d must be a function, not %s"):format(pattern, i + 1, type(functions[i])))
    end
  end
  if functions.n == 0 then core.usage(("route %s has no handler"):format(pattern)) end
  local handler = functions[functions.n]
  for i = functions.n - 1, 1, -1 do
    local middleware, inner = functions[i], handler
    handler = function(req)
      return middleware(req, function() return response.seen(req, inner(req)) end)
    end
  end
  return handler
end

--- Adds a route for a method. Before the handler may stand middleware of its own, see `use`.
---@param method string
---@param pattern string "/orders/{id}", "/orders/{id:int}", "/files/{path*}"
---@param ... function
---@return itlua.server
function Server:route(method, pattern, ...)
  self.router:add(method:upper(), pattern, compose(tostring(pattern), ...))
  return self
end

for _, method in ipairs { "get", "post", "put", "patch", "delete", "options", "head" } do
  Server[method] = function(self, pattern, ...) return self:route(method, pattern, ...) end
end

--- Adds a route for every method that has none of its own on this path.
---@param pattern string
---@param ... function
---@return itlua.server
function Server:any(pattern, ...)
  return self:route("*", pattern, ...)
end

--- Adds middleware: `fn(req, next)` is called for every request (whose path begins with `prefix`), also when no route
--- matches. It returns an answer of its own, or that of next(), a table {status=, headers=, …} which it may change.
---@param prefix? string
---@param fn fun(req: itlua.server.request, next: fun(): itlua.server.response): any
---@return itlua.server
function Server:use(prefix, fn)
  if type(prefix) == "function" then prefix, fn = nil, prefix end
  if type(fn) ~= "function" then core.usage("use() needs a function, not " .. type(fn)) end
  self.middleware[#self.middleware + 1] = { prefix = prefix, fn = fn }
  return self
end

-- ---- the journal

--- The requests the server has seen, oldest first: those of a method, a path (or a route's pattern).
---@param filter? { method?: string, path?: string }
---@return itlua.server.request[]
function Server:requests(filter)
  local method, path = filter and filter.method, filter and filter.path
  local found = {}
  for _, handle in ipairs(native.journal(self.inbox)) do
    local req = Request.new(handle, native.describe(handle))
    local route, params = self.router:find(req.method, req.raw_path)
    req.route, req.params = route and route.pattern, route and params or {}
    if (not method or req.method == method:upper()) and (not path or req.path == path or req.route == path) then
      found[#found + 1] = req
    end
  end
  return found
end

--- Forgets the requests it has seen.
function Server:clear()
  native.clear(self.inbox)
end

--- The requests of a route from now on, as a capture (itlua.capture): the webhooks that a service sends. The value is the
--- body, decoded where it is JSON or a form; the record has method, path, params, query, headers and the request.
--- A route that is not there yet is made, and answers with 204 or `reply`.
---@param route string     "POST /hooks/{id}"
---@param options? itlua.server.CaptureOptions
---@return itlua.capture
function Server:capture(route, options)
  return captures.open(self, route, options)
end

-- ---- what it was asked during a test that fails

local open, test_began -- servers, once there are some; seconds on the wall clock

local SHOWN = 30 -- requests, the last ones

local function shown_headers(fields)
  local shown = {}
  for name, value in pairs(fields) do shown[name] = mask.header(name, tostring(value)) end
  return shown
end

local function add_requests(spans, self, ahead)
  local list = self:requests()
  for i = math.max(1, #list - SHOWN + 1), #list do
    local req = list[i]
    if req.at and req.at >= test_began then
      local what = ("%s %s%s"):format(req.method, self.url, req.target)
      spans[#spans + 1] = {
        at = req.at - ahead, seconds = req.seconds or 0, what = "server", detail = what, echoes = what,
        outcome = req.error and "error: " .. tostring(req.error):match "^[^\n]*" or tostring(req.status or "no answer"),
        data = { request = { method = req.method, url = self.url .. req.target, headers = shown_headers(req.headers),
          body = req.body }, response = { status = req.status } },
      }
    end
  end
end

local function asked()
  local spans, ahead = {}, core.clock() - core.now()
  for self in pairs(open) do pcall(add_requests, spans, self, ahead) end
  return spans
end

local function follow(self)
  if not open then
    open, test_began = setmetatable({}, { __mode = "k" }), core.clock()
    evidence.offer_spans(asked, function() test_began = core.clock() end)
  end
  open[self] = true
end

-- ---- its end

--- Closes the server at once: what was answered is sent as far as clients take it, waiting handlers are cancelled.
function Server:close()
  self.handle:close()
  for _, one in ipairs(self.captures or {}) do one.capture:finish() end
  for id, worker in pairs(self.workers) do
    self.workers[id] = nil
    if worker ~= true then core.cancel(worker, "the server was closed") end
  end
end

Server.__close = Server.close

--- Accepts no more connections, waits until every request is answered, for at most `seconds`, and closes.
---@param seconds? number 5 where not given
---@return boolean drained whether every request was answered in that time
function Server:shutdown(seconds)
  local scope = core.enter(seconds or 5)
  local ok, err = pcall(native.drained, self.handle)
  local expired = core.leave(scope)
  self:close()
  if not ok and not expired then error(err, 0) end
  return ok
end

--- Serves until the process is asked to end by SIGTERM or SIGINT, or the server is closed by one of its handlers;
--- answers what is under way, and closes. The last line of a service's script.
---@param options? { grace?: number } seconds for what is under way; 5
function Server:serve(options)
  if native.stopped(self.handle) then self:shutdown(options and options.grace or 5) end
end

function Server:__tostring()
  return tostring(self.handle)
end

-- ---- listen

local function pem(what, value)
  if type(value) ~= "string" then core.usage(("tls.%s: a file or a PEM text is expected"):format(what)) end
  if value:find("-----BEGIN", 1, true) then return value end
  local file, why = io.open(value, "rb")
  if not file then core.raise("fs", nil, ("tls.%s: %s"):format(what, why)) end
  local content = file:read "a"
  file:close()
  return content
end

local function print_error(line)
  io.stderr:write("itlua.server: ", line, "\n")
end

local function print_access(req)
  io.stderr:write(("%s %s %s %.1f ms\n"):format(req.method, req.target, req.status or "-", (req.seconds or 0) * 1000))
end

local known = {
  host = true, port = true, unix = true, tls = true, journal = true, handler = true, log = true, on_error = true,
  max_body = true, max_headers = true, max_connections = true, idle_timeout = true,
}

---@class itlua.server.options
---@field host? string an address; "127.0.0.1" where not given: only this machine can connect
---@field port? integer 0, where not given: a free one
---@field unix? string listen on a unix socket with this path instead
---@field tls? { cert: string, key: string } files or PEM texts
---@field handler? function for requests that no route matches
---@field journal? integer how many requests are remembered; 1000
---@field max_body? integer bytes; a larger one is answered with 413; 16 MB
---@field max_headers? integer bytes; larger ones are answered with 431; 16 KB
---@field max_connections? integer 1000
---@field idle_timeout? integer seconds after which a silent connection is closed; 75, 0 is never
---@field log? boolean|fun(req: itlua.server.request) called after every request; true writes a line to stderr
---@field on_error? fun(text: string, req: itlua.server.request) for what a handler raised; else it goes to stderr

--- Listens. Raises http EADDRINUSE and the like.
---@param options? itlua.server.options
---@return itlua.server
function server.listen(options)
  options = options or {}
  for name in pairs(options) do
    if not known[name] then core.usage(("server.listen: unknown option '%s'"):format(tostring(name))) end
  end
  local tls = options.tls
  local handle, inbox, port = native.listen {
    host = options.host,
    port = options.port,
    unix = options.unix,
    certificate = tls and pem("cert", tls.cert),
    key = tls and pem("key", tls.key),
    max_body = options.max_body,
    max_headers = options.max_headers,
    max_connections = options.max_connections,
    idle_timeout = options.idle_timeout,
    journal = options.journal,
  }
  local host, scheme = options.host or "127.0.0.1", tls and "https" or "http"
  local self = setmetatable({
    handle = handle,
    inbox = inbox,
    host = host,
    port = port,
    url = ("%s://%s:%d"):format(scheme, host:find(":", 1, true) and "[" .. host .. "]" or host, port),
    router = Router.new(),
    middleware = {},
    fallback = options.handler,
    log = options.log == true and print_access or options.log or nil,
    on_error = options.on_error or print_error,
    workers = {},
    last_worker = 0,
  }, Server)
  start_worker(self)
  follow(self)
  return self
end

return server
