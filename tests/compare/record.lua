--- An output handler for busted: what happens, a line each, for compare.lua to hold against itlua's events.
-- It reads nothing of busted but the bus, so it works with every 2.x.

local function one_line(text)
  return (text:gsub("\\", "\\\\"):gsub("\n", "\\n"))
end

return function(options)
  local busted = require "busted"
  local handler = require "busted.outputHandlers.base"()
  local out = assert(io.open(options.arguments[1], "w"))

  local function line(...)
    out:write(one_line(table.concat({ ... }, "\t")), "\n")
    out:flush()
  end

  local function place(element, trace)
    local at = element.trace or trace or {}
    return tostring(at.currentline or 0)
  end

  busted.subscribe({ "test", "start" }, function(element)
    line("start", place(element), handler.getFullName(element))
    return nil, true
  end)
  busted.subscribe({ "test", "end" }, function(element, _, status)
    line("end", status, handler.getFullName(element))
    return nil, true
  end)
  local function problem(kind)
    return function(element, _, message, trace)
      if not element.descriptor then element = { descriptor = "?", name = "?" } end
      line(kind, place(element, trace), handler.getFullName(element), tostring(message or "Nil error"),
        trace and trace.short_src and trace.short_src .. ":" .. trace.currentline or "-",
        trace and trace.traceback or "")
      return nil, true
    end
  end
  busted.subscribe({ "failure" }, problem "failure")
  busted.subscribe({ "error" }, problem "error")
  busted.subscribe({ "pending" }, problem "pending")
  busted.subscribe({ "file", "start" }, function(element)
    line("file", element.name)
    return nil, true
  end)
  busted.subscribe({ "suite", "end" }, function()
    out:close()
    return nil, true
  end)
  return handler
end
