--- Custom busted output handlers (`-o handler.lua`, `-o module`): runs a handler that was written for busted on
-- events. The handler is loaded with the user's `require` and globals in the reporting process. It subscribes to a
-- mediator that gets suite, file, describe, test, failure, error, pending and exit, with elements rebuilt from the
-- events. What it prints with io.write or print goes to the report's destination.

local elements = require "itlua.report.busted_elements"
local mediator = require "itlua.mediator"
local modules = require "itlua.report.busted_modules"

local busted_handler = {}

-- The user's globals and require; plain Lua's own where there is no itlua around it (tests under busted).
local function surroundings()
  local ok, core = pcall(require, "itlua.core")
  if ok and core.globals then return core.globals(), core.user_require end
  return _G, require
end

-- ---- what is published

local on = {}

function on.run_start(self, ev)
  local tree = self.tree
  if (ev.run or 1) > 1 then
    tree:begin_suite()
    self.bus:publish({ "suite", "reset" }, tree.suite, ev.run, ev.runs)
  end
  self.run = ev
  tree:start(tree.suite, ev.at)
  if ev.randomized then tree.suite.randomseed = ev.seed end
  self.bus:publish({ "suite", "start" }, tree.suite, ev.run or 1, ev.runs or 1, ev.randomized and ev.seed or nil)
end

function on.file_start(self, ev)
  self.tree.files[ev.file] = nil
  local file = self.tree:file(ev.file).element
  self.bus:publish({ "file", "start" }, self.tree:start(file, ev.at))
end

function on.block_start(self, ev)
  local element, parent = self.tree:block(ev)
  self.bus:publish({ "describe", "start" }, self.tree:start(element, ev.at), parent)
end

function on.block_end(self, ev)
  local element = self.tree:file(ev.file).blocks[ev.id]
  if not element then return end
  self.bus:publish({ "describe", "end" }, self.tree:stop(element, ev.seconds), self.tree.parents[element])
end

function on.test_start(self, ev)
  local element, parent = self.tree:test(ev)
  self.bus:publish({ "test", "start" }, self.tree:start(element, ev.at), parent)
end

function on.test_end(self, ev)
  local tests = self.tree:file(ev.file).tests
  local element = tests[ev.id]
  if not element then return end
  tests[ev.id] = nil
  self.bus:publish({ "test", "end" }, self.tree:stop(element, ev.seconds), self.tree.parents[element], ev.status)
end

function on.problem(self, ev)
  local element, parent = self.tree:of_problem(ev)
  local channel = element.descriptor and { ev.kind, element.descriptor } or { ev.kind }
  self.bus:publish(channel, element, parent, ev.message, elements.trace_of_problem(ev))
end

function on.file_end(self, ev)
  local file = self.tree:file(ev.file).element
  self.bus:publish({ "file", "end" }, self.tree:stop(file, ev.seconds))
end

function on.run_end(self, ev)
  local suite, run = self.tree.suite, self.run or {}
  self.bus:publish({ "suite", "end" }, self.tree:stop(suite, ev.seconds), run.run or 1, run.runs or 1)
  if ev.interrupted or (run.runs ~= 0 and (run.run or 1) >= (run.runs or 1)) then self:finish() end
end

-- ---- the reporter

local Reporter = {}
Reporter.__index = Reporter

-- Handlers print with the globals io.write and print, mostly kept in locals since they were loaded.
local function redirected(self, fn, ...)
  local io, old_print = self.globals.io, self.globals.print
  local old_write, old_flush = io.write, io.flush
  io.write, io.flush, self.globals.print = self.write, self.flush, self.print
  local results = table.pack(pcall(fn, ...))
  io.write, io.flush, self.globals.print = old_write, old_flush, old_print
  if not results[1] then error(results[2], 0) end
  return table.unpack(results, 2, results.n)
end

function Reporter:event(ev)
  if ev.ev == "output" then return self.out(ev.text) end
  for _, native in ipairs(self.natives) do native:event(ev) end
  -- busted runs a test once: of several attempts a handler sees the first start and the last end.
  if ev.retried or (ev.attempt and self.tree:file(ev.file).tests[ev.id]) then return end
  local handler = on[ev.ev]
  if handler then redirected(self, handler, self, ev) end
end

function Reporter:finish()
  if self.finished then return end
  self.finished = true
  for _, native in ipairs(self.natives) do native:finish() end
  redirected(self, self.bus.publish, self.bus, { "exit" })
end

local function writers(self)
  local out = self.out
  function self.write(...)
    local parts = table.pack(...)
    for i = 1, parts.n do
      if type(parts[i]) ~= "string" and type(parts[i]) ~= "number" then
        error(("bad argument #%d to 'write' (string expected, got %s)"):format(i, type(parts[i])), 2)
      end
    end
    out(table.concat(parts))
    return self.globals.io.stdout
  end
  function self.print(...)
    local parts = table.pack(...)
    for i = 1, parts.n do parts[i] = tostring(parts[i]) end
    out(table.concat(parts, "\t") .. "\n")
  end
  function self.flush() return self.globals.io.stdout end
end

local function busted_object(self)
  local tree = self.tree
  local function ticks() return tree.now end
  local function time() return tree.now + (tree.epoch or 0) end
  return {
    version = "2.3.0", gettime = time, monotime = ticks, sleep = function() end,
    subscribe = function(...) return self.bus:subscribe(...) end,
    unsubscribe = function(...) return self.bus:removeSubscriber(...) end,
    publish = function(...) return self.bus:publish(...) end,
    parent = function(element) return tree.parents[element] end,
    children = function(element)
      local children = {}
      for child, parent in pairs(tree.parents) do
        if parent == element then children[#children + 1] = child end
      end
      return children
    end,
  }
end

local function load_handler(self, name, user_require)
  local globals = self.globals
  if name:find "%.lua$" then return globals.dofile((name:gsub("^%./", ""))) end
  if name:find "%.moon$" then return user_require("moonscript").dofile(name) end
  local ok, handler = pcall(user_require, "busted.outputHandlers." .. name)
  if ok then return handler end
  if not tostring(handler):find "module '.-' not found:" then error(handler, 0) end
  return user_require(name)
end

--- A reporter for a handler, or nil and why it could not be loaded.
---@param name string        a .lua file, a name below busted.outputHandlers, or a module
---@param opts table         see report.new; opts.lpath and opts.cpath come before the user's package.path and cpath
---@param out fun(text: string)
---@return table?, string?
function busted_handler.new(name, opts, out)
  local globals, user_require = surroundings()
  local self = setmetatable({
    out = out, globals = globals, bus = mediator.new(), tree = elements.new(), natives = {},
  }, Reporter)
  writers(self)
  local package = globals.package
  for field, prefix in pairs { path = opts.lpath or "", cpath = opts.cpath or "" } do
    if prefix ~= "" then package[field] = (prefix .. ";" .. package[field]):gsub(";;+", ";") end
  end
  local function native(kind, options)
    local report = require "itlua.report"
    local reporter, why = report.new(kind, {
      args = options.arguments, verbose = options.verbose, defer_print = options.deferPrint, lang = options.language,
      suppress_pending = options.suppressPending, tty = opts.tty, columns = opts.columns, color = opts.color,
    }, out)
    if not reporter then error(why, 0) end
    self.natives[#self.natives + 1] = reporter
  end
  modules.install(package, busted_object(self), native, { tty = opts.tty, require = user_require })
  local arguments = { [0] = opts.program or "itlua" }
  for i, arg in ipairs(opts.args or {}) do arguments[i] = arg end
  local options = {
    verbose = opts.verbose or false, suppressPending = opts.suppress_pending or false, language = opts.lang or "en",
    deferPrint = opts.defer_print or false, arguments = arguments, enableSound = false, defaultOutput = "plainTerminal",
  }
  local ok, err = pcall(redirected, self, function()
    local factory = load_handler(self, name, user_require)
    local handler = factory(options)
    if type(handler) ~= "table" or not handler.subscribe then
      error(name .. " returned no handler (with a subscribe method)", 0)
    end
    handler:subscribe(options)
  end)
  if not ok then return nil, tostring(err) end
  return self
end

return busted_handler
