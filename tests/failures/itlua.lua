-- A small shop whose specs all fail, each for one of the usual reasons: what a report says of them is in README.md.

local itlua = require("itlua.process").self()

return {
  services = {
    db = { kind = "postgres", provider = { "native", "docker" }, migrations = "migrations" },
    cache = { kind = "redis", provider = { "native", "docker" } },
    shop = {
      kind = "process",
      command = { itlua, "exec", "shop.lua" },
      env = { PORT = "${shop.port}", CACHE = "${cache.url}" },
      ready = { http = "/health" },
    },
    billing = { kind = "process", command = { itlua, "exec", "billing.lua" } },
  },
}
