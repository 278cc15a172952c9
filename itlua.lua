-- The settings of this project's runs: what `itlua --help` lists, by their long names.

local itlua = require("itlua.process").self()
local real = { "environment", "native", "docker" } -- Apache's own
local ours = os.getenv "SHOP_BUS" == "real" and { "native", "docker", "embedded" } or { "embedded" }
local bus = { "environment", table.unpack(ours) }
local pace = tonumber(os.getenv "SHOP_PACE") or 1 -- more on a busy machine: specs/support/shop.lua
local provider = os.getenv "SHOP_PROVIDER" or { "environment", "native", "docker" }

local function beside_the_shop(name)
  return {
    kind = "process", command = { itlua, "exec", "specs/service/" .. name .. ".lua" }, ready = { http = "/health" },
    env = { SHOP_PORT = ("${%s.port}"):format(name), SHOP_KAFKA = "${bus.brokers}" },
  }
end

return {
  lpath = "./specs/?.lua", -- where specs find what they require
  profiles = {
    ci = { output = { "terminal", "junit:build/junit.xml" }, timeout = 60 },
  },

  -- What specs/services needs, started when it is first used: from installed programs, for they start fastest, else by
  -- Docker. SHOP_PROVIDER=docker asks for that alone. A broker that runs on Java takes a second or two to start: there is
  -- the embedded one, and with SHOP_BUS=real, as in `make test`, Apache's where one can be had.
  services = {
    db = { kind = "postgres", provider = provider, migrations = "specs/service/migrations" },
    sessions = { kind = "redis", provider = provider },
    bus = { kind = "kafka", provider = bus, startup_timeout = 120 },
    fragile_bus = { kind = "kafka", provider = ours, startup_timeout = 120 }, -- one that a spec may stop
    shop = {
      kind = "process",
      command = { itlua, "exec", "specs/service/main.lua" },
      env = { SHOP_PORT = "${shop.port}", SHOP_DATABASE_URL = "${db.url}", SHOP_REDIS_URL = "${sessions.url}",
        SHOP_KAFKA = "${bus.brokers}", SHOP_SECRET = "the specs' own secret", SHOP_PATIENCE = 0.3 * pace },
      ready = { http = "/health" },
    },
    notifier = beside_the_shop "notifier",
    figures = beside_the_shop "figures",
    kafka = { kind = "kafka", provider = real, startup_timeout = 120 }, -- for tests/specs/kafka
  },
}
