--- A row about Kafka as a service: how soon the embedded broker takes records.

local fs = require "itlua.fs"
local peers = require "tests.bench.peers"

local SPEC = [[
  local core = require "itlua.core"
  it("is there", function()
    local began = core.now()
    local bus = require("itlua.services").bus:connect()
    bus:publish("t", "x")
    require("itlua.fs").write("seconds", tostring(core.now() - began))
  end)
]]

local function run()
  local dir <close> = fs.tempdir()
  dir:write("itlua.lua", 'return { services = { bus = { kind = "kafka", provider = "embedded" } } }\n')
  dir:write("specs/a_spec.lua", SPEC)
  peers.output({ peers.itlua, "-j", "1" }, { cwd = dir.path })
  return tonumber(fs.read(dir:join "seconds"))
end

return {
  { key = "embedded-kafka", what = "The embedded Kafka as a service to its first acknowledged record", as = "seconds",
    reach = 0.3, against = "-", run = function(compare) return compare(run) end },
}
