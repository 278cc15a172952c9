local task = require "itlua.task"
local mask = require "itlua.mask"

describe("mask", function()
  it("hides a value in every form it takes", function()
    local hide = mask.new { values = { 'p@ss/w"ord&1' } }
    local forms = {
      raw = 'p@ss/w"ord&1', json = 'p@ss/w\\"ord&1', url = "p%40ss%2Fw%22ord%261", lower_url = "p%40ss%2fw%22ord%261",
      xml = "p@ss/w&quot;ord&amp;1", hex = "7040737" .. "32f77226f7264" .. "2631", HEX = "704073732F77226F72642631",
    }
    for name, form in pairs(forms) do assert.equal("a *** b", hide("a " .. form .. " b"), name) end
  end)

  it("hides a value inside base64, wherever it begins", function()
    local hide = mask.new { values = { "correct horse battery" } }
    -- "correct horse battery", "xcorrect horse batteryy", "xxcorrect horse battery"
    for _, encoded in ipairs {
      "Y29ycmVjdCBob3JzZSBiYXR0ZXJ5", "eGNvcnJlY3QgaG9yc2UgYmF0dGVyeXk=", "eHhjb3JyZWN0IGhvcnNlIGJhdHRlcnk=",
    } do
      local hidden = hide(encoded)
      assert.is_truthy(hidden:find("***", 1, true), hidden)
      assert.is_true(#hidden < 12, hidden)
    end
  end)

  it("takes no longer than a text is long", function()
    for _, piece in ipairs { "x", "http", "a@", "://", "-", ":", " ", "Cookie", "bearer" } do
      task.sleep(0) -- the other files of this worker may have answers waiting
      local text = piece:rep(500000 // #piece) .. " @ :// curl -u Authorization bearer"
      assert.is_true(#mask.text(text) > 0)
    end
  end)

  it("hides passwords in URLs and curl commands", function()
    assert.equal("postgres://bob:***@db:5432/x", mask.text "postgres://bob:secret@db:5432/x")
    assert.equal("redis://:***@db", mask.text "redis://:p@ss@db")
    assert.equal("curl -u 'bob:***' http://x", mask.text "curl -u 'bob:secret' http://x")
    assert.equal("curl -b sid=*** http://x?a=b", mask.text "curl -b sid=secret http://x?a=b")
    assert.equal("curl -b 'sid=***; b=***' x", mask.text "curl -b 'sid=secret; b=c d' x")
    assert.equal("http://127.0.0.1:80/a@b:c", mask.text "http://127.0.0.1:80/a@b:c")
  end)

  it("hides the values of headers that carry credentials, however they are written", function()
    local cases = {
      ["Authorization: Bearer abc"] = "Authorization: Bearer ***",
      ["authorization: xyz\nHost: a"] = "authorization: ***\nHost: a",
      ['{"Authorization":"Basic YWJj","x":1}'] = '{"Authorization":"Basic ***","x":1}',
      ['\\"authorization\\":\\"Bearer abc\\",\\"x\\"'] = '\\"authorization\\":\\"Bearer ***\\",\\"x\\"',
      ['Authorization = "Bearer abc"'] = 'Authorization = "Bearer ***"',
      ['["Set-Cookie"] = "sid=abc; Path=/"'] = '["Set-Cookie"] = "***"',
      ["-H 'Cookie: sid=abc'"] = "-H 'Cookie: ***'",
      ["X-Api-Key: abc"] = "X-Api-Key: ***",
    }
    for text, expected in pairs(cases) do assert.equal(expected, mask.text(text)) end
  end)

  it("leaves other text alone", function()
    for _, text in ipairs { "authorization fails for strangers", "cookies are eaten", "a@b:c", "", "\0\xFF" } do
      assert.equal(text, mask.text(text))
    end
  end)

  it("hides the longer secret when one is part of another", function()
    assert.equal("***", mask.new { values = { "secret", "secret-and-more" } }("secret-and-more"))
  end)

  it("changes nothing more the second time", function()
    local hide = mask.new { values = { "secret-value" } }
    local once = hide "Authorization: Bearer secret-value http://u:p@h"
    assert.equal(once, hide(once))
  end)
end)
