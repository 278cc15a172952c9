local services = require "itlua.services"

describe("customers", function()
  local db
  setup(function() db = services.db:connect() end)

  it("are stored", function()
    db:exec("INSERT INTO customers VALUES ($1, $2)", "ada@example.org", "Ada")
    assert.equal(1, db:value "SELECT count(*) FROM customers")
  end)

  it("have a name", function()
    db:exec("INSERT INTO customers VALUES ($1, $2)", "ada@example.org", "Ada Lovelace")
  end)
end)
