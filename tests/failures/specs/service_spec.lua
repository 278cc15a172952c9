local services = require "itlua.services"

describe("billing", function()
  it("runs", function()
    services.billing:start()
  end)
end)
