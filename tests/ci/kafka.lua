-- Makes what the first broker of a machine would have to wait for. Called by tests/ci/kafka.

local offer, why = require("itlua.services.kafka.home").find {}
if not offer then
  print("no broker of this machine's own: " .. why)
  return
end
require("itlua.services.kafka.broker").prepare(offer)
