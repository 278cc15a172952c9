--- Kafka: transactions. A producer of its own for each that runs at the same time; it stays for the next one.

local core = require "itlua.core"
local handle = require "itlua.kafka.handle"
local publish = require "itlua.kafka.publish"
local topics = require "itlua.kafka.topics"

local transaction = {}

---@class itlua.kafka.Transaction
local Transaction = { __name = "itlua.kafka.transaction" }
Transaction.__index = Transaction

local function check_open(self)
  if self.ended then core.usage "the transaction has ended" end
end

--- As a connection's publish. Seen by read_committed once the transaction has ended well.
---@param topic string
---@param value any
---@param options? table
---@return integer partition, integer offset
function Transaction:publish(topic, value, options)
  check_open(self)
  return publish.one(self.connection, self.client, topic, value, options)
end

--- As a connection's publish_all.
function Transaction:publish_all(topic, values, options)
  check_open(self)
  return publish.all(self.connection, self.client, topic, values, options)
end

--- Makes a consumer's progress part of the transaction: what its next has returned, or the given offsets.
---@param consumer itlua.kafka.Consumer|{ group: string }
---@param offsets? { topic: string, partition: integer, offset: integer }[]
function Transaction:commit_offsets(consumer, offsets)
  check_open(self)
  if not offsets then
    offsets = {}
    for _, p in pairs(consumer.positions or {}) do offsets[#offsets + 1] = p end
  end
  if #offsets == 0 then return end
  handle.try(self.connection.own, "cannot make offsets part of the transaction", self.client.transaction, self.client,
    "offsets", self.timeout, offsets, consumer.group)
end

local function producer_of(connection, timeout)
  connection.transactional, connection.idle = connection.transactional or {}, connection.idle or {}
  local client = table.remove(connection.idle)
  if client then return client end
  local all = connection.transactional
  client = handle.open(connection.own, "producer", {
    ["transactional.id"] = connection.own.config["transactional.id"] or ("itlua-%s-%d"):format(connection.id, #all + 1),
  })
  local ok, err = pcall(handle.try, connection.own, "cannot begin a transaction", client.transaction, client, "init", timeout)
  if not ok then
    client:close()
    error(err, 0)
  end
  all[#all + 1] = client
  return client
end

local function give_up(connection, client)
  for i, one in ipairs(connection.transactional) do
    if one == client then table.remove(connection.transactional, i) end
  end
  client:close()
end

-- Whatever has become of the test: its records are not to be seen.
local function abort(connection, client, timeout)
  local scope = core.enter(timeout, true)
  local ok = pcall(client.transaction, client, "abort", timeout)
  core.leave(scope)
  if not ok then give_up(connection, client) end
  return ok
end

---@return any ...
function transaction.run(connection, fn, options)
  if type(fn) ~= "function" then core.usage "transaction needs a function" end
  topics.needs_broker(connection, "a transaction")
  local timeout = options and options.timeout or 30
  local client = producer_of(connection, timeout)
  handle.try(connection.own, "cannot begin a transaction", client.transaction, client, "begin", timeout)
  local self = setmetatable({ connection = connection, client = client, timeout = timeout }, Transaction)
  local results = table.pack(pcall(fn, self))
  self.ended = true
  if not results[1] then
    if abort(connection, client, timeout) then table.insert(connection.idle, client) end
    error(results[2], 0)
  end
  local ok, err = pcall(handle.try, connection.own, "the transaction was not committed", client.transaction, client, "commit",
    timeout)
  if not ok then
    if abort(connection, client, timeout) then table.insert(connection.idle, client) end
    error(err, 0)
  end
  table.insert(connection.idle, client)
  return table.unpack(results, 2, results.n)
end

return transaction
