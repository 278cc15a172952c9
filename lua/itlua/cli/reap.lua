--- itlua --reaper: the reaper. Started by the program itself (src/bind/container_reaper.c), it reads from its standard input
--- what to remove, a JSON object a line: {"label": …, "owner": …, "host": …}. When the input ends, the process that
--- wrote it has ended or was killed, and what it left in the engine is removed.

local core = require "itlua.core"
local json = require "itlua.json"
local system = require "itlua.cli.core"

local reap = {}

local PASSES, PAUSE = 5, 0.4 -- a request of a killed process may still be on its way to the engine

local function connect(order)
  if order.engine then return order.engine end
  local ok, engine = pcall(require "itlua.container.engine".connect, {
    DOCKER_HOST = order.host, DOCKER_CERT_PATH = order.certificates, DOCKER_TLS_VERIFY = order.verify,
    HOME = os.getenv "HOME",
  })
  order.engine = ok and engine or nil
  return order.engine
end

local function carry_out(order)
  local owner = require "itlua.container.owner"
  local engine = connect(order)
  if not engine then return end
  pcall(owner.remove, engine, order.label)
  pcall(owner.remove_images, engine, function(text) return text == order.owner end)
end

---@return integer exit_code
function reap.run()
  local _ <close> = system.watch_signals(false) -- whoever ends the others must not end this one
  local orders, known, orderly = {}, {}, false
  for line in io.lines() do
    if line == "Q" then
      orderly = true
    elseif not known[line] then
      known[line] = true
      local ok, order = pcall(json.decode, line)
      if ok then
        orders[#orders + 1] = order
        connect(order) -- now, while nobody waits for it
      end
    end
  end
  for pass = 1, orderly and 1 or PASSES do
    if pass > 1 then core.sleep(PAUSE) end
    for _, order in ipairs(orders) do carry_out(order) end
  end
  return 0
end

return reap
