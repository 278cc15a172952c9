-- The REPL at a terminal, as a person sees it.

local fs = require "itlua.fs"
local process = require "itlua.process"
local screen = require "tests.specs.repl.screen"
local task = require "itlua.task"

local program = process.self()
local repl = ("'%s' repl"):format(program)

describe("itlua repl at a terminal", function()
  it("says what it is, answers, and ends with Ctrl-D", function()
    local s <close> = screen.open(repl)
    s:see ":help":at ">"
    s:enter("1 + 1"):see "\n2\n":at ">"
    s:enter('"a\\0b"'):see '"a\\x00b"'
    s:enter("_ .. 'c'"):see '"a\\x00bc"':at ">"
    s:press "C-d"
    s:see "ended with code 0"
  end)

  it("takes a chunk of several lines, and gives it back as one", function()
    local s <close> = screen.open(repl)
    s:at(">"):enter("for i = 1, 2 do"):at "·"
    s:enter("print('round ' .. i)"):at "·"
    s:enter("end"):see "round 1\nround 2":at ">"
    s:press "Up"
    s:see("> for i = 1, 2 do\nprint%('round ' %.%. i%)\nend$", true)
    s:press "Enter"
    s:see "round 1\nround 2\n> for i = 1, 2 do"
    s:see("end\nround 1\nround 2\n>$", true)
  end)

  it("completes names, fields and methods", function()
    local s <close> = screen.open(repl)
    s:at(">"):type("tas"):press("Tab"):at "> task"
    s:type(".spa"):press("Tab"):at "> task.spawn"
    s:press "C-c":at ">"
    s:type("json."):press("Tab"):see "decode":see "encode":at "> json."
    s:type("enc"):press("Tab"):at "> json.encode"
    s:press "C-c":at ">"
    s:enter("longest_name = { inner_field = 1 }"):at ">"
    s:type("longe"):press("Tab"):at "> longest_name"
    s:type(".in"):press("Tab"):at "> longest_name.inner_field"
    s:press "Enter":see "\n1\n":at ">"
    s:type(":hel"):press("Tab"):type("sql.con"):press("Tab"):at "> :help sql.connect"
    s:press "Enter":see "itlua.sql.Connection"
  end)

  it("keeps what was typed for the next session, secrets aside", function()
    local folder <close> = fs.tempdir()
    local env = { XDG_STATE_HOME = folder.path }
    do
      local s <close> = screen.open(repl, { env = env })
      s:at(">"):enter("'first'"):see '"first"':at ">"
      s:enter("'http://ada:s3cret@x/'"):at ">"
      s:enter("if true then"):at("·"):enter("end"):at ">"
      s:press "C-d":see "ended with code 0"
    end
    local path = folder:join "itlua/history"
    assert.equal("'first'\n'http://ada:***@x/'\nif true then\\nend\n", fs.read(path))
    assert.equal(384, fs.stat(path).mode & 511)
    local s <close> = screen.open(repl, { env = env })
    s:at(">"):press("Up", "Up", "Up"):at "> 'first'"
    s:press "C-c":at ">"
    s:press("C-r"):type("irs"):see "'first'"
  end)

  it("goes on where the history cannot be kept", function()
    local folder <close> = fs.tempdir()
    folder:write("itlua", "a file in the way")
    local s <close> = screen.open(repl, { env = { XDG_STATE_HOME = folder.path } })
    s:see "what you type is not kept":at ">"
    s:enter("2 * 3"):see "\n6\n":at ">"
    s:press("Up"):at "> 2 * 3"
  end)

  it("comes back to the prompt when interrupted: at it, in a wait, in a loop", function()
    local s <close> = screen.open(repl)
    s:at(">"):type("half a li"):press "C-c":at ">"
    s:press "C-c":press "C-c":see "Ctrl-D or :quit":at ">"
    -- Each says that it runs: a Ctrl-C before that would be for the prompt.
    s:enter("print 'one' task.sleep(1000)"):at("one"):press "C-c":see "waiting for sleep 1000 s":at ">"
    s:enter("print 'two' while true do end"):at("two"):press "C-c":see "two\n^Cinterrupted":at ">"
    s:enter("print 'three' while true do pcall(error) end"):at "three"
    s:press "C-c":see "three\n^Cinterrupted":at ">"
    s:enter("5 * 5"):see "\n25\n":at ">"
  end)

  it("shows what comes meanwhile above the line that is typed", function()
    local s <close> = screen.open(repl)
    local folder <close> = fs.tempdir()
    s:at(">"):enter("spawned = task.spawn(function()"):at "·"
    s:enter(("while not fs.exists('%s/go') do task.sleep(0.01) end"):format(folder.path)):at "·"
    s:enter("print('from behind') error('in the dark') end)"):at ">"
    s:type "'typed ' .. 'so far'"
    s:at "> 'typed ' .. 'so far'"
    fs.write(folder:join "go", "")
    s:see "from behind":see "in the dark  (in a background task)":at "> 'typed ' .. 'so far'"
    s:press "Enter":see '"typed so far"':at ">"
  end)

  it("shows it above a line that takes several rows, with characters that take two columns", function()
    local s <close> = screen.open(repl, { columns = 20, rows = 24 })
    local folder <close> = fs.tempdir()
    s:at(">"):enter("t = task.spawn(function()"):at "·"
    s:enter(("while not fs.exists('%s/go') do"):format(folder.path)):at "·"
    s:enter("task.sleep(0.01) end"):at("·"):enter("print('noise') end)"):at ">"
    local line = "'" .. ("注文é"):rep(12) .. "' .. 'z'"
    s:type(line):see "'z'"
    fs.write(folder:join "go", "")
    s:see "noise"
    task.eventually(function() -- once, and whole: tmux joins the rows that the line was broken into
      local text = s:text()
      local before, after = text:match "^(.*)\nnoise\n(.*)$"
      assert.equal("> " .. line, (after:gsub("\n", "")))
      return not before:find("注文", 1, true)
    end, { timeout = 20 })
    s:press "Enter":see 'z"':at ">"
    s:enter("#_"):see "\n97\n":at ">"
  end)

  it("pages what is longer than the screen", function()
    local s <close> = screen.open(repl, { rows = 12 })
    s:at(">"):enter("('x\\n'):rep(100) .. 'the end'"):see "of 101 lines"
    assert.is_nil(s:text():find("the end\n", 1, true))
    s:press "Enter":press " ":press "G":see "\nthe end\n":at ">"
    s:enter("('y\\n'):rep(100)"):see "of 100 lines":press "q":see "more lines":at ">"
  end)

  it("fits a terminal of 20 columns, and one that changes its size", function()
    local s <close> = screen.open(repl, { columns = 20, rows = 20 })
    s:at(">"):type(("1 + "):rep(12) .. "1"):press "Enter":see "\n13\n":at ">"
    s:enter("{ some = 'text that is longer than the screen is wide', other = { 1, 2, 3 } }"):see "some":at ">"
    s:resize(80, 30):enter("('z'):rep(60)"):see(('"%s"'):format(("z"):rep(60))):at ">"
  end)

  it("does without an editor where the terminal is dumb", function()
    for _, kind in ipairs { "dumb", "" } do
      local s <close> = screen.open(repl, { env = { TERM = kind, NO_COLOR = "" } })
      s:see(":help"):see("\n>", true)
      s:enter("6 * 7"):see "\n42\n"
      s:enter("print 'on' task.sleep(1000)"):see("\non"):press "C-c":see "interrupted"
      assert.is_nil(s:text():find("\1", 1, true))
      s:press "C-d":see "ended with code 0"
    end
  end)

  it("edits the last chunk in an editor", function()
    local s <close> = screen.open(repl, { env = { EDITOR = "sed -i s/20/21/", VISUAL = "" } })
    s:at(">"):enter("2 * 20"):see "\n40\n":at ">"
    s:enter(":edit"):see "| 2 * 21":see "\n42\n":at ">"
    s:press("Up"):at "> 2 * 21"
  end)

  it("stops and goes on as the shell says", function()
    local s <close> = screen.open(("bash --norc -i -c 'set -m; %s; echo stopped; fg'"):format(repl:gsub("'", "")))
    s:at(">"):type("1 + 2"):at "> 1 + 2"
    s:press "C-z":see "stopped"
    s:see("> 1 %+ 2$", true):press "Enter":see "\n3\n"
  end)
end)

describe("itlua repl and the services of a project", function()
  local project

  setup(function()
    project = fs.tempdir { prefix = "itlua-repl-" }
    project:write("itlua.lua", ([[
      return { services = {
        web = { kind = "process", command = { %q, "exec", "web.lua" }, env = { PORT = "${web.port}" }, ready = { http = "/" } },
        lame = { kind = "process", command = { "sh", "-c", "echo last words; exit 7" }, ready = { line = "never" } },
      } }
    ]]):format(program))
    project:write("web.lua", [[
      local srv = require("itlua.server").listen { port = math.tointeger(tonumber(os.getenv "PORT")) }
      srv:get("/", function() return { json = { name = "ada", list = { 1, 2 } } } end)
      io.open("pid", "w"):write(tostring(io.open("/proc/self/stat"):read "n")):close()
      srv:serve()
    ]])
  end)
  teardown(function() project:close() end)

  local function is_gone(pid) return not fs.exists("/proc/" .. pid) end

  local function with_web()
    local s = screen.open(("cd '%s' && %s"):format(project.path, repl))
    s:see "web":see "lame":at ">"
    s:enter('web:get "/"'):see "starting web":see "200 OK":see '"name": "ada"':at ">"
    return s, fs.read(project:join "pid")
  end

  it("starts one when it is first used, shows the answer, and ends it", function()
    local s <close>, pid = with_web()
    s:enter(":services"):see "ready":at ">"
    s:type("web:p"):press("Tab"):see "patch":press "C-c":at ">"
    s:enter("lame.url"):see "last words":see "exited with code 7":at ">"
    s:enter(":quit"):see "ended with code 0"
    task.eventually(function() return is_gone(pid) end, { timeout = 60 })
  end)

  for _, signal in ipairs { "TERM", "HUP" } do
    it("ends what it started on SIG" .. signal, function()
      local s <close>, pid = with_web()
      assert.equal(0, process.run({ "kill", "-" .. signal, tostring(s:pid()) }).code)
      s:see "ended with code"
      task.eventually(function() return is_gone(pid) end, { timeout = 60 })
    end)
  end

  it("ends what it started when its terminal goes away", function()
    local s <close>, pid = with_web()
    s:close()
    task.eventually(function() return is_gone(pid) end, { timeout = 60 })
  end)
end)
