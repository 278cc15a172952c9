-- The settings of this project's runs: what `itlua --help` lists, by their long names.

local itlua = require("itlua.process").self()
local provider = os.getenv "SHOP_PROVIDER" or { "environment", "native", "docker" }

return {
  lpath = "./specs/?.lua", -- where specs find what they require
  profiles = {
    ci = { output = { "terminal", "junit:build/junit.xml" }, timeout = 60 },
  },

  -- What specs/services needs, started when it is first used: from installed programs, for they start fastest, else by
  -- Docker. SHOP_PROVIDER=docker asks for that alone.
  services = {
    db = { kind = "postgres", provider = provider, migrations = "specs/service/migrations" },
    sessions = { kind = "redis", provider = provider },
    shop = {
      kind = "process",
      command = { itlua, "exec", "specs/service/main.lua" },
      env = { SHOP_PORT = "${shop.port}", SHOP_DATABASE_URL = "${db.url}", SHOP_REDIS_URL = "${sessions.url}",
        SHOP_SECRET = "the specs' own secret", SHOP_PATIENCE = 0.4 },
      ready = { http = "/health" },
    },
    kafka = { kind = "kafka", provider = { "environment", "native", "docker" }, startup_timeout = 120 }, -- for tests/specs/kafka
  },
}
