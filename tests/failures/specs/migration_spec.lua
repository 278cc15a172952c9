local services = require "itlua.services"

describe("invoices", function()
  it("are none at first", function()
    local db = services.db:connect()
    assert.equal(0, db:value "SELECT count(*) FROM invoices")
  end)
end)
