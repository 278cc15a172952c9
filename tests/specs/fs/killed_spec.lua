local fs = require "itlua.fs"
local process = require "itlua.process"
local task = require "itlua.task"

describe("temporary folders and files", function()
  it("are removed when the program is killed", function()
    local dir <close> = fs.tempdir()
    local script = dir:write("script.lua", [[
      local fs = require "itlua.fs"
      local folder, file = fs.tempdir { prefix = "itlua two words " }, fs.tempfile "x"
      local closed, kept = fs.tempdir(), fs.tempdir { keep = true }
      folder:write("sub/x", "1")
      closed:close()
      fs.write(closed.path, "somebody else's by now")
      io.stdout:setvbuf "line"
      for _, one in ipairs { folder, file, closed, kept } do print(one.path) end
      print "up"
      require "itlua.task".sleep(100)
    ]])
    local run = process.start { process.self(), "exec", script }
    local paths = {}
    for line in run:lines { timeout = 30 } do
      if line == "up" then break end
      paths[#paths + 1] = line
    end
    local folder, file, closed, kept = table.unpack(paths)
    run:signal "KILL"
    run:wait()
    task.eventually(function() return not fs.exists(folder) and not fs.exists(file) end, { timeout = 20 })
    task.sleep(0.2)
    assert.equal("file", fs.exists(closed))
    assert.equal("folder", fs.exists(kept))
    fs.remove(closed)
    fs.remove(kept)
  end)
end)
