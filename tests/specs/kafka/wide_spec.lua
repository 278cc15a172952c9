-- itlua: alone
-- A broker that makes a thousand partitions has time for nothing else.
local brokers = require "tests.specs.kafka.support.brokers"

brokers.each("topics", { "real" }, function(connect)
  local k
  setup(function() k = connect() end)

  it("with 1,000 partitions are captured whole #heavy", function()
    local name = k:topic("wide", { partitions = 1000, timeout = 60 })
    local cap <close> = k:capture(name)
    for _, partition in ipairs { 0, 1, 500, 998, 999 } do k:publish(name, { p = partition }, { partition = partition }) end
    assert.equal(5, #cap:wait_for_count(5, { timeout = 60 }))
    cap:expect_none({ p = 7 }, { fence = true, timeout = 60 })
  end)
end)
