local core = require "itlua.core"
local fs = require "itlua.fs"
local task = require "itlua.task"

local function failure(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return err
end

describe("files", function()
  local dir
  before_each(function() dir = fs.tempdir() end)
  after_each(function() dir:close() end)

  it("are written and read as they are", function()
    local path = dir:join("x")
    local every = {}
    for i = 0, 255 do every[i + 1] = string.char(i) end
    local data = table.concat(every):rep(1000)
    fs.write(path, data)
    assert.is_true(fs.read(path) == data)
    fs.write(path, "short")
    assert.equal("short", fs.read(path))
    fs.write(path, "")
    assert.equal("", fs.read(path))
    fs.append(path, "a")
    fs.append(path, "b\0")
    assert.equal("ab\0", fs.read(path))
    fs.append(dir:join("new"), "1")
    assert.equal("1", fs.read(dir:join("new")))
  end)

  it("are replaced at once when written atomically", function()
    local path = dir:join("x")
    fs.write(path, "old", { mode = 384 })
    local a, b = ("a"):rep(1000000), ("b"):rep(1000000)
    local writer = task.spawn(function()
      for i = 1, 20 do fs.write(path, i % 2 == 0 and a or b, { atomic = true }) end
    end)
    while writer:status() == "running" do
      local seen = fs.read(path)
      assert(seen == "old" or seen == a or seen == b)
    end
    writer:join()
    assert.equal(384, fs.stat(path).mode) -- 0600, as before
    assert.same({ "x" }, fs.list(dir.path))
  end)

  it("are looked at", function()
    local path = dir:write("sub/x", "12345")
    local s = fs.stat(path)
    assert.equal("file", s.type)
    assert.equal(5, s.size)
    assert.equal(1, s.links)
    assert.is_true(math.abs(s.modified - core.clock()) < 60)
    assert.equal("folder", fs.stat(dir:join("sub")).type)
    assert.equal("device", fs.stat("/dev/null").type)
    fs.chmod(path, "640")
    assert.equal(tonumber("640", 8), fs.stat(path).mode)
    fs.symlink("x", dir:join("sub/link"))
    assert.equal("link", fs.stat(dir:join("sub/link"), { follow = false }).type)
    assert.equal("file", fs.stat(dir:join("sub/link")).type)
    assert.equal(fs.realpath(path), fs.realpath(dir:join("sub/../sub//link")))
  end)

  it("exist or not", function()
    local path = dir:write("x", "")
    assert.equal("file", fs.exists(path))
    assert.equal("folder", fs.exists(dir.path))
    assert.is_false(fs.exists(dir:join("y")))
    assert.is_false(fs.exists(path .. "/below"))
  end)

  it("are renamed, copied and removed", function()
    local path = dir:write("x", "1")
    fs.chmod(path, "755")
    fs.copy(path, dir:join("y"))
    assert.equal("1", fs.read(dir:join("y")))
    assert.equal(tonumber("755", 8), fs.stat(dir:join("y")).mode)
    fs.write(path, "2")
    fs.rename(path, dir:join("y"))
    assert.equal("2", fs.read(dir:join("y")))
    assert.is_false(fs.exists(path))
    fs.remove(dir:join("y"))
    assert.same({}, fs.list(dir.path))
    fs.remove(dir:join("y"), { force = true })
  end)

  it("fail with code, path and what was tried", function()
    local cases = {
      { "ENOENT", "cannot read '%S+/no': no such file", fs.read, dir:join("no") },
      { "EISDIR", "cannot read", fs.read, dir.path },
      { "EFBIG", "larger than the option 'max_size'", fs.read, "/dev/zero", { max_size = 100000 } },
      { "ENOENT", "cannot write '%S+/no/x'", fs.write, dir:join("no/x"), "y" },
      { "ENOENT", "cannot write '%S+/no/x'", fs.write, dir:join("no/x"), "y", { atomic = true } },
      { "ENOENT", "cannot look at", fs.stat, dir:join("no") },
      { "ENOENT", "cannot list", fs.list, dir:join("no") },
      { "ENOENT", "cannot remove", fs.remove, dir:join("no") },
      { "ENOENT", "cannot copy '%S+/no'", fs.copy, dir:join("no"), dir:join("x") },
      { "ENOENT", "cannot rename '%S+/no' to '%S+/x'", fs.rename, dir:join("no"), dir:join("x") },
      { "ENOENT", "cannot watch", fs.watch, dir:join("no/x") },
    }
    for _, case in ipairs(cases) do
      local err = failure(table.unpack(case, 3))
      assert.equal("fs", err.kind)
      assert.equal(case[1], err.code)
      assert.matches(case[2], err.message)
      assert.is_string(err.path)
      assert.matches("fs_spec.lua:%d+$", err.where)
    end
    local wrongs = { { fs.read, "" }, { fs.read, "a\0b" }, { fs.read }, { fs.write, "x" }, { fs.write, "x", "y", 1 } }
    for _, wrong in ipairs(wrongs) do
      local err = failure(table.unpack(wrong))
      assert.is_string(err)
      assert.matches("fs_spec.lua:%d+: ", err)
    end
  end)

  it("leave the loop to others meanwhile", function()
    local path, ticks = dir:join("x"), 0
    fs.write(path, ("x"):rep(1 << 20))
    local ticker = core.daemon(function() while true do core.sleep(0) ticks = ticks + 1 end end)
    for _ = 1, 20 do fs.read(path) end
    core.cancel(ticker)
    assert.is_true(ticks > 0)
  end)

  it("may be forgotten half way", function()
    local path = dir:join("big")
    assert.is_false(pcall(task.timeout, 0.001, function() while true do fs.write(path, ("x"):rep(8 << 20)) end end))
    assert.is_false(pcall(task.timeout, 0.001, fs.read, "/dev/zero", { max_size = 1 << 40 }))
  end)
end)

describe("folders", function()
  local dir
  before_each(function() dir = fs.tempdir { prefix = "spec-" } end)
  after_each(function() dir:close() end)

  local function plant()
    dir:write("a/1", "1")
    dir:write("a/b/2", "2")
    dir:write("a/b/.hidden", "h")
    fs.symlink("b/2", dir:join("a/link"))
    fs.symlink("/", dir:join("a/root"))
  end

  it("are made with those above, and may exist", function()
    fs.mkdir(dir:join("a/b//c/"))
    fs.mkdir(dir:join("a/b"))
    assert.equal("folder", fs.exists(dir:join("a/b/c")))
    fs.write(dir:join("file"), "")
    local err = failure(fs.mkdir, dir:join("file/below"))
    assert.equal("EEXIST", err.code)
    assert.equal(dir:join("file"), err.path)
  end)

  it("are listed, sorted, and on demand with all below but nothing behind links", function()
    plant()
    assert.same({ "1", "b", "link", "root" }, fs.list(dir:join("a")))
    local all = { "a", "a/1", "a/b", "a/b/.hidden", "a/b/2", "a/link", "a/root" }
    assert.same(all, fs.list(dir.path, { recursive = true }))
    assert.same(all, fs.list(dir.path .. "/", { recursive = true }))
    for i = 1, 2000 do fs.write(dir:join("a/f" .. i), "") end
    assert.equal(2004, #fs.list(dir:join("a")))
  end)

  it("are copied with what is in them, links as links", function()
    plant()
    assert.equal("EISDIR", failure(fs.copy, dir:join("a"), dir:join("c")).code)
    fs.copy(dir:join("a"), dir:join("c"), { recursive = true })
    assert.same(fs.list(dir:join("a"), { recursive = true }), fs.list(dir:join("c"), { recursive = true }))
    assert.equal("2", fs.read(dir:join("c/link")))
    assert.equal("link", fs.stat(dir:join("c/root"), { follow = false }).type)
    assert.matches("into itself", failure(fs.copy, dir:join("a"), dir:join("a/b/x"), { recursive = true }).message)
  end)

  it("are removed with what is in them, on demand", function()
    plant()
    local err = failure(fs.remove, dir:join("a"))
    assert.equal("ENOTEMPTY", err.code)
    assert.matches("not empty %(option 'recursive'%)", err.message)
    fs.remove(dir:join("a"), { recursive = true })
    assert.same({}, fs.list(dir.path))
    assert.equal("folder", fs.exists("/usr"))
  end)

  it("are not removed when nobody can mean it", function()
    local precious = { "/", "//", "/usr", "/etc/../usr", "/home", ".", "..", "../..", os.getenv("HOME") or "/root" }
    fs.symlink("/", dir:join("root"))
    precious[#precious + 1] = dir:join("root/.")
    for _, path in ipairs(precious) do
      local err = failure(fs.remove, path, { recursive = true })
      assert.equal("fs", err.kind)
      assert.equal("EPERM", err.code)
    end
  end)
end)

describe("temporary", function()
  it("folders vanish with their handle, whatever is in them", function()
    local path
    do
      local dir <close> = fs.tempdir()
      path = dir.path
      assert.equal("folder", fs.exists(path))
      assert.equal("temporary folder " .. path, tostring(dir))
      dir:write("locked/x", "")
      fs.chmod(dir:join("locked"), "000")
    end
    assert.is_false(fs.exists(path))
  end)

  it("folders vanish when their block fails or times out", function()
    local path
    for _, limit in ipairs { 0.05, 1, 10 } do -- as much as it takes to get there
      assert.is_false(pcall(task.timeout, limit, function()
        local dir <close> = fs.tempdir()
        path = dir:write("x", "")
        core.sleep(60)
      end))
      if path then break end
    end
    assert.is_false(fs.exists(fs.dirname(path)))
  end)

  it("folders stay while only their path is known", function()
    local path = fs.tempdir().path
    collectgarbage()
    collectgarbage()
    core.sleep(0.02)
    assert.equal("folder", fs.exists(path))
  end)

  it("folders vanish with the script that made them", function()
    local process = require "itlua.process"
    local script <close> = fs.tempfile([[
      local fs = require "itlua.fs"
      local dir = fs.tempdir { prefix = "gone-" }
      dir:write("a/b", "x")
      print(dir.path, fs.tempfile("x").path, fs.tempdir({ keep = true }).path)]])
    local r = process.run { process.self(), "exec", script.path, check = true }
    local dir, file, kept = r.stdout:match("(%S+)\t(%S+)\t(%S+)")
    assert.matches("/gone%-", dir)
    assert.is_false(fs.exists(dir))
    assert.is_false(fs.exists(file))
    assert.equal("folder", fs.exists(kept))
    fs.remove(kept)
  end)

  it("files have their content", function()
    local file <close> = fs.tempfile("abc", { prefix = "x-" })
    assert.equal("abc", fs.read(file.path))
    assert.matches("^x%-", fs.basename(file.path))
    assert.equal(384, fs.stat(file.path).mode)
    local path = file.path
    file:close()
    assert.is_false(fs.exists(path))
    file:close()
  end)

  it("ones are made where they are wanted", function()
    local dir <close> = fs.tempdir()
    local within <close> = fs.tempdir { within = dir.path }
    assert.equal(dir.path, fs.dirname(within.path))
    assert.equal("ENOENT", failure(fs.tempdir, { within = dir:join("no") }).code)
    assert.matches("without /", failure(fs.tempdir, { prefix = "a/b" }))
  end)
end)

describe("a watch", function()
  local dir
  before_each(function() dir = fs.tempdir() end)
  after_each(function() dir:close() end)

  it("tells what changes in a folder", function()
    local watch <close> = fs.watch(dir.path)
    dir:write("new", "1")
    assert.same({ path = dir:join("new"), kind = "rename" }, watch:next { timeout = 20 })
    assert.same({ path = dir:join("new"), kind = "change" }, watch:next { timeout = 20 })
    task.spawn(function()
      core.sleep(0.02)
      fs.remove(dir:join("new"))
    end)
    for change in watch:changes { timeout = 20 } do
      if change.kind == "rename" then break end
    end
  end)

  it("follows a file through its replacement", function()
    local path = dir:write("config", "1")
    local watch <close> = fs.watch(path)
    dir:write("other", "x")
    fs.write(path, "2", { atomic = true })
    local change = watch:next { timeout = 20 }
    assert.equal(path, change.path)
    fs.remove(path)
    assert.equal("rename", watch:next({ timeout = 20 }).kind)
  end)

  it("gives up after its timeout", function()
    local watch <close> = fs.watch(dir.path)
    local err = failure(watch.next, watch, { timeout = 0.05 })
    assert.equal("timeout", err.kind)
    assert.matches("nothing has changed in watch of %S+ for 0.05 s", err.message)
  end)

  it("ends its readers when it is closed", function()
    local watch = fs.watch(dir.path)
    local reader = core.spawn(watch.next, watch)
    core.sleep(0.01)
    watch:close()
    local ok, err = core.join(reader)
    assert.is_false(ok)
    assert.equal("cancelled", err.kind)
    assert.matches("is closed", failure(watch.next, watch))
    watch:close()
  end)
end)

describe("paths", function()
  it("are joined and taken apart", function()
    assert.equal("/a/b/c", fs.join("/a/", "/b", "c"))
    assert.equal("a", fs.join("", "a"))
    assert.equal("/a", fs.join("/", "a"))
    assert.equal("a/b", fs.join("a", "", "b"))
    local cases = {
      { "/a/b.txt", "/a", "b.txt" }, { "/a", "/", "a" }, { "a", ".", "a" }, { "a/b/", "a", "b" }, { "/", "/", "/" },
      { "a//b", "a", "b" },
    }
    for _, case in ipairs(cases) do
      assert.equal(case[2], fs.dirname(case[1]))
      assert.equal(case[3], fs.basename(case[1]))
    end
  end)
end)
