local services, sql = require "itlua.services", require "itlua.sql"

describe("the ledger", function()
  it("balances", function()
    local pool = sql.pool { url = services.db.url, size = 2, acquire_timeout = 0.5 }
    for _ = 1, 3 do
      local db = pool:acquire()
      db:query "SELECT 1"
    end
  end)
end)
