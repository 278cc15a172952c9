-- The settings of this project's runs: what `itlua --help` lists, by their long names.

local itlua = require("itlua.process").self()

return {
  lpath = "./specs/?.lua", -- where specs find what they require
  profiles = {
    ci = { output = { "terminal", "junit:build/junit.xml" }, timeout = 60 },
  },

  -- What specs/services needs: started when it is first used, by Docker or from installed programs.
  services = {
    db = { kind = "postgres", migrations = "specs/service/migrations" },
    sessions = { kind = "redis" },
    shop = {
      kind = "process",
      command = { itlua, "exec", "specs/service/main.lua" },
      env = { SHOP_PORT = "${shop.port}", SHOP_DATABASE_URL = "${db.url}", SHOP_REDIS_URL = "${sessions.url}",
        SHOP_SECRET = "the specs' own secret" },
      ready = { http = "/health" },
    },
  },
}
