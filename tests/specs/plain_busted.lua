-- A helper that lets the specs of itlua's pure Lua parts run under plain busted as well (which the engine is
-- compared with):
--   lua5.4 /usr/bin/busted --helper tests/specs/plain_busted.lua tests/specs/report tests/specs/assert
package.path = "lua/?.lua;lua/?/init.lua;" .. package.path

local null = setmetatable({}, { __tostring = function() return "null" end, __name = "null" })
package.preload["itlua.null"] = function() return null end

package.preload["itlua.json"] = function()
  local dkjson = require "dkjson"
  return {
    null = null,
    decode = function(text)
      local value, _, wrong = dkjson.decode(text, 1, null)
      if wrong then error({ kind = "json", message = wrong }, 0) end
      return value
    end,
    encode = function(value, options)
      return (dkjson.encode(value, { indent = options and options.pretty }))
    end,
  }
end

package.preload["itlua.task"] = function()
  return {
    eventually = function(fn, options)
      for _ = 1, 3 do
        local results = table.pack(pcall(fn))
        if results[1] and (results.n == 1 or results[2]) then return table.unpack(results, 2, results.n) end
      end
      error({
        kind = "timeout", code = "EVENTUALLY",
        message = ("Still failing after %g s and 3 tries."):format(options and options.timeout or 2),
      }, 0)
    end,
  }
end

require("itlua.assert").install(require "luassert")
