--- The brokers of these specs: the run's own (services.kafka), librdkafka's mock cluster, and one that a file starts for
-- itself, with what the shared one has not: passwords, TLS, no topics that appear by themselves.

local busted = require "busted"
local fs = require "itlua.fs"
local kafka = require "itlua.kafka"
local services = require "itlua.services"

local brokers = {}

--- Calls `body(connect)` in a describe for each kind of broker; `connect()` is a connection that its teardown closes.
---@param name string
---@param kinds string[]     "real", "embedded"
---@param body fun(connect: fun(): itlua.kafka.Connection, kind: string)
function brokers.each(name, kinds, body)
  for _, kind in ipairs(kinds) do
    busted.describe(("%s, %s broker:"):format(name, kind), function()
      local available, why = true, nil
      if kind == "real" then available, why = services.kafka:available() end
      if not available then
        busted.pending("cannot be tried here: " .. why)
        return
      end
      local cluster, k
      busted.setup(function()
        if kind == "real" then
          k = services.kafka:connect()
        else
          cluster = require("itlua.kafka.mock").start {}
          k = kafka.connect(cluster:addresses())
        end
      end)
      busted.teardown(function()
        k:close()
        if cluster then cluster:close() end
      end)
      body(function() return k, cluster end, kind)
    end)
  end
end

--- Fails where the function does not; its error.
function brokers.failure(fn, ...)
  local ok, err = pcall(fn, ...)
  if ok then error("it should have failed", 2) end
  return err
end

-- ---- a broker of one file's own

local function certificate(dir)
  require("itlua.process").run { command = { "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
    "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", dir:join "key.pem", "-out", dir:join "cert.pem" },
    check = true }
  dir:write("both.pem", fs.read(dir:join "key.pem") .. fs.read(dir:join "cert.pem"))
end

local jaas = 'org.apache.kafka.common.security.plain.PlainLoginModule required username="broker" password="for brokers only" '
  .. 'user_broker="for brokers only" user_ada="a password of ada";'

local Own = {}
Own.__index = Own

function Own:start()
  local broker = require "itlua.services.kafka.broker"
  self.process = broker.launch(self.offer, self.from, self.folder, { port = self.port },
    { self.classes and "-XX:SharedArchiveFile=" .. self.classes }, self.settings)
  local probe = require("itlua.kafka.mock").probe
  require("itlua.task").eventually(function()
    return self.process:running() and probe(self.brokers, 1).brokers == 1
  end, { timeout = 90 })
end

function Own:stop()
  self.process:stop { grace = 60 }
end

function Own:close()
  self.process:close()
  self.dir:close()
end

--- Starts one: .brokers, .sasl and .tls are its addresses, .ca the certificate that vouches for it.
function brokers.own()
  local home, native = require "itlua.services.kafka.home", require "itlua.services.native"
  local offer = assert(home.find {})
  local broker = require "itlua.services.kafka.broker"
  local dir = fs.tempdir { prefix = "itlua-kafka-own-" }
  certificate(dir)
  local from, classes = broker.prepare(offer)
  local port, control, sasl, tls = native.port(), native.port(), native.port(), native.port()
  local function address(name, number) return ("%s://127.0.0.1:%d"):format(name, number) end
  local clients = table.concat({ address("PLAINTEXT", port), address("SASL", sasl), address("TLS", tls) }, ",")
  local self = setmetatable({
    dir = dir, folder = dir:join "run", offer = offer, from = from, classes = classes, port = port,
    brokers = "127.0.0.1:" .. port, sasl = "127.0.0.1:" .. sasl, tls = "127.0.0.1:" .. tls, ca = dir:join "cert.pem",
    settings = {
      listeners = clients .. "," .. address("CONTROLLER", control), ["advertised.listeners"] = clients,
      ["controller.quorum.voters"] = "1@127.0.0.1:" .. control,
      ["listener.security.protocol.map"] = "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL:SASL_PLAINTEXT,TLS:SSL",
      ["sasl.enabled.mechanisms"] = "PLAIN", ["listener.name.sasl.plain.sasl.jaas.config"] = jaas,
      ["ssl.keystore.type"] = "PEM", ["ssl.keystore.location"] = dir:join "both.pem",
      ["auto.create.topics.enable"] = false,
    },
  }, Own)
  fs.mkdir(self.folder)
  self:start()
  return self
end

return brokers
