local fs = require "itlua.fs"
local ignore = require "itlua.container.ignore"
local process = require "itlua.process"
local streams = require "itlua.container.streams"
local tar = require "itlua.container.tar"

local function source(pieces)
  local i = 0
  return function()
    i = i + 1
    return pieces[i]
  end
end

local function in_pieces(text, size)
  local pieces = {}
  for i = 1, #text, size do pieces[#pieces + 1] = text:sub(i, i + size - 1) end
  return source(pieces)
end

describe("tar", function()
  local long = ("folder/"):rep(30) .. "file.txt"
  local entries = {
    { name = "d", type = "folder" }, { name = "d/empty", content = "" }, { name = "d/x", content = ("x"):rep(513),
      mode = 420, uid = 7, gid = 8, modified = 1000000000 }, { name = "l", type = "link", target = "d/x" },
    { name = long, content = "deep" }, { name = "päth ✓", content = "\0binary\255" },
  }

  it("is read by the system's tar", function()
    local dir <close> = fs.tempdir()
    dir:write("a.tar", tar.encode(entries))
    fs.mkdir(dir:join "out")
    process.run { "tar", "xf", dir:join "a.tar", "-C", dir:join "out", "--no-same-owner", check = true }
    assert.equal("deep", fs.read(dir:join("out", long)))
    assert.equal(("x"):rep(513), fs.read(dir:join "out/l"))
    assert.equal("\0binary\255", fs.read(dir:join "out/päth ✓"))
    assert.equal(1000000000, fs.stat(dir:join "out/d/x").modified)
  end)

  it("reads what it and the system's tar wrote, in pieces of any size", function()
    local dir <close> = fs.tempdir()
    for _, entry in ipairs(entries) do
      if entry.content then dir:write("in/" .. entry.name, entry.content) end
    end
    process.run { "tar", "cf", dir:join "gnu.tar", "--format=gnu", "-C", dir:join "in", long, check = true }
    local gnu = tar.reader(in_pieces(fs.read(dir:join "gnu.tar"), 100))
    assert.equal(long, gnu:next().name)
    assert.equal("deep", gnu:content())
    for _, size in ipairs { 1, 511, 512, 1 << 20 } do
      local reader, seen = tar.reader(in_pieces(tar.encode(entries), size)), {}
      for entry in function() return reader:next() end do
        seen[#seen + 1] = { entry.name, entry.type, entry.type == "file" and reader:content() or entry.target }
      end
      assert.same({ { "d", "folder", "" }, { "d/empty", "file", "" }, { "d/x", "file", ("x"):rep(513) },
        { "l", "link", "d/x" }, { long, "file", "deep" }, { "päth ✓", "file", "\0binary\255" } }, seen)
    end
  end)

  it("skips what is not read, and says when it ends too early", function()
    local text = tar.encode(entries)
    local reader, names = tar.reader(in_pieces(text, 700)), 0
    while reader:next() do names = names + 1 end
    assert.equal(#entries, names)
    local cut = tar.reader(in_pieces(text:sub(1, 512 * 4 + 100), 700))
    local ok, err = pcall(function()
      while cut:next() do cut:content() end
    end)
    assert.is_false(ok)
    assert.equal("ARCHIVE", err.code)
  end)
end)

describe(".dockerignore", function()
  local function out(rules, ...)
    local ignored, list = ignore.parse(rules), {}
    for _, path in ipairs { ... } do
      if ignored(path) then list[#list + 1] = path end
    end
    return table.concat(list, " ")
  end

  it("knows names, stars, folders", function()
    assert.equal("node_modules/x/y a.log", out("node_modules\n*.log\n", "node_modules/x/y", "a.log", "d/a.log", "src/x"))
    assert.equal("a.log d/a.log d/e/a.log", out("**/*.log", "a.log", "d/a.log", "d/e/a.log", "a.logs"))
    assert.equal("x/a x/b/c", out("/x/\n", "x/a", "x/b/c", "y/x"))
    assert.equal("ab1 ab2", out("ab?", "ab1", "ab2", "ab12"))
    assert.equal("f1", out("f[0-9]", "f1", "fa", "f12"))
  end)

  it("takes back what comes with !, and the last rule decides", function()
    assert.equal("a.md docs/x.md", out("**/*.md\n!README.md", "a.md", "docs/x.md", "README.md"))
    assert.equal("README.md", out("!README.md\n*.md", "README.md"))
    assert.equal("", out("# comment\n\n  \n", "a", "# comment"))
  end)
end)

describe("frames and lines", function()
  local function frame(kind, text) return string.pack(">Bxxx I4", kind, #text) .. text end

  it("come apart wherever the pieces end", function()
    local text = frame(1, "one\ntw") .. frame(2, "err\n") .. frame(1, "o\r\nlast")
    for size = 1, 20 do
      local seen = {}
      for line, name in streams.lines(streams.frames(in_pieces(text, size), false)) do
        seen[#seen + 1] = name .. ":" .. line
      end
      assert.same({ "stdout:one", "stderr:err", "stdout:two", "stdout:last" }, seen)
    end
  end)

  it("have no frames with a terminal", function()
    local seen = {}
    for line in streams.lines(streams.frames(source { "a\r\nb", "c\n" }, true)) do seen[#seen + 1] = line end
    assert.same({ "a", "bc" }, seen)
  end)
end)
