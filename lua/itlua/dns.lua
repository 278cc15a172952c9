--- Names to addresses, without blocking other tasks.

local core = require "itlua.dns.core"

local dns = {}

--- Resolves a host name; an address is returned as it is. The answer is never empty.
--- Raises an error of kind "dns" (code ENOTFOUND: no such host).
---@param host string
---@return string[] addresses
function dns.resolve(host)
  if host:find("^%d+%.%d+%.%d+%.%d+$") or host:find(":", 1, true) then return { host } end
  return core.resolve(host)
end

return dns
