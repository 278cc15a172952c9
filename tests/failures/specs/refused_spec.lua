local redis, services, task = require "itlua.redis", require "itlua.services", require "itlua.task"

describe("the cart", function()
  setup(function()
    services.cache:start()
    services.cache:signal "KILL" -- what a crash looks like
    task.eventually(function() assert.equal("ended", services.cache:status().state) end)
  end)

  it("is kept in the cache", function()
    local cache = redis.connect(services.cache.url)
    assert.equal("3", cache:get "cart:7")
  end)
end)
