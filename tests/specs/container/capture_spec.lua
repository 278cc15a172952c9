-- What a container prints, as a capture.
local container = require "itlua.container"
local engine = require "tests.specs.container.engine"

local missing = engine.missing "busybox:latest"
if missing then
  pending(missing)
  return
end

describe("lines of a container", function()
  it("begin now, and end with it", function()
    local c <close> = container.run { image = "busybox",
      command = "echo before; while ! test -e /go; do sleep 0.05; done; echo '{\"state\":\"new\"}'; echo oh >&2; " ..
        "while ! test -e /end; do sleep 0.05; done", wait = container.wait.log "before" }
    local log <close> = c:capture()
    c:exec "touch /go"
    assert.equal("new", log:wait_for({ state = "new" }, { timeout = 20 }).value.state)
    assert.equal("stderr", log:wait_for("oh", { timeout = 20 }).stream)
    assert.equal(0, #log:events "before")
    c:exec "touch /end"
    assert.matches("has ended, all of it was read", log:expect_none("error", { within = 60 }))
  end)
end)
