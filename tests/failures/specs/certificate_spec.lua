local fs, http, process = require "itlua.fs", require "itlua.http", require "itlua.process"
local server = require "itlua.server"

describe("the payment provider", function()
  local provider

  setup(function()
    local folder <close> = fs.tempdir()
    local key, cert = folder:join "key.pem", folder:join "cert.pem"
    process.run { "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2",
      "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", check = true }
    provider = server.listen { tls = { cert = cert, key = key } }
  end)
  teardown(function() provider:close() end)

  it("takes a payment", function()
    http.post(provider.url .. "/payments", { json = { amount = 12.5 } })
  end)
end)
