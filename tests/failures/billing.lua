-- A service that wants a setting which itlua.lua does not give it.
local key = os.getenv "BILLING_KEY"
if not key then
  io.stderr:write "billing: BILLING_KEY is not set\n"
  os.exit(1)
end
require("itlua.task").sleep(60)
