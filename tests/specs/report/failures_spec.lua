-- The usual failures and what the terminal says of them: tests/failures/README.md shows the output of the specs there, and is
-- compared with what they print now. UPDATE_FAILURES=1 writes it anew; read it then as somebody who has not written them.
local fs = require "itlua.fs"
local json = require "itlua.json"
local process = require "itlua.process"

local here = debug.getinfo(1, "S").source:match "^@(.*)tests/specs/report/" or ""
local folder = (here == "" and "." or here) .. "/tests/failures/"

local usual = {
  { "refused", "Nothing listens there" },
  { "name", "A name is unknown" },
  { "certificate", "A certificate is not trusted" },
  { "token", "A token has expired" },
  { "route", "There is no such route" },
  { "server_error", "The server fails" },
  { "slow", "The server does not answer" },
  { "duplicate", "A row is there already" },
  { "migration", "A table is missing" },
  { "pool", "A pool is empty" },
  { "lock", "A test waits until its time is over" },
  { "event", "An event does not come" },
  { "document", "A document is not as expected" },
  { "service", "A service does not start" },
}

local head = [[
# What a failure looks like

The specs in [specs](specs) fail on purpose, each for one of the fourteen reasons for which integration tests mostly fail. This
page shows what `itlua` prints of each. Whoever reads it in a log of CI, without having written the spec, should be able to
name the cause: `likely` says it where it is one of the usual suspects, the rest shows what it is concluded from. A failure has,
in this order:

- the test's name, `file:line`, and how long it took;
- what was expected and what came, the differing paths first, what is equal left out;
- of a test whose time was over: what each of its tasks was waiting for, and for how long;
- the lines of the spec around the one that failed;
- the timeline: what the test did, to whom, what came of it, what was sent and received (shortened; whole with `-v`), and what
  services and containers printed meanwhile;
- what the test printed;
- `likely`: the cause, and where to look;
- `again`: the command that runs this very test again, `request`: the last request as a curl command.

The output is real: a spec of this project runs the failing ones and compares. The rules behind `likely` are in
[lua/itlua/report/cause](../../lua/itlua/report/cause).

| failure | what the report says of it |
|---|---|
]]

-- What a failing spec prints of its failure, without the run around it; and the likely cause alone.
local function output_of(name)
  local place <close> = fs.tempdir()
  local events = place:join "events.jsonl"
  local r = process.run {
    command = { process.self(), "--audit", "--timeout=" .. (name == "lock" and "1.5" or "30"), "-o", "terminal",
      "-o", "jsonl:" .. events, "specs/" .. name .. "_spec.lua" },
    cwd = folder, merge = true, timeout = 120, env = { NO_COLOR = "1", TERM = "dumb" },
  }
  local text, cause = r.stdout:match "\n(✗.-\n)\n✗ specs/" or r.stdout, nil
  for line in fs.read(events):gmatch "[^\n]+" do cause = cause or json.decode(line).cause end
  return (text:gsub("[^%s(]+/itlua%f[ ]", "itlua")), cause
end

-- What names the cause; where nothing has to be concluded, what came instead of what was expected.
local function gist(text, cause)
  local lines = {}
  for line in (cause or ""):gmatch "[^\n]+" do lines[#lines + 1] = line end
  if not lines[1] then
    for line in text:gmatch "[^\n]+" do
      if line:find "expected.*got" then lines[#lines + 1] = line:gsub("%s+", " "):gsub("^ ", "") end
    end
  end
  return (table.concat(lines, "<br>"):gsub("|", "\\|"))
end

local function page()
  local rows, sections = {}, {}
  for i, one in ipairs(usual) do
    local text, cause = output_of(one[1])
    local anchor = one[2]:lower():gsub(" ", "-")
    rows[i] = ("| [%s](#%s) | %s |\n"):format(one[2], anchor, gist(text, cause))
    sections[i] = ("\n## %s\n\n[specs/%s_spec.lua](specs/%s_spec.lua)\n\n```\n%s```\n"):format(one[2], one[1], one[1], text)
  end
  return head .. table.concat(rows) .. table.concat(sections)
end

-- What differs from run to run is put into one form, lines of the timeline into one order: two clocks have a say in it.
local function canonical(text)
  text = text:gsub("127%.0%.0%.1:%d+", "HOST:PORT"):gsub("%d+%.?%d* m?s%f[%W]", "T"):gsub("%d+ min%f[%W]", "T")
  text = text:gsub("%-%-seed %d+", "--seed N"):gsub("itlua_db_%x+", "DB"):gsub("session %d+", "session N")
  text = text:gsub("%d%d%d%d%-%d%d%-%d%d %d%d:%d%d:%d%d", "TIME")
  local blocks = {}
  for block in (text .. "\n\n"):gmatch "(.-)\n\n+" do
    if block:find "^  timeline" then
      local lines = {}
      for line in block:gmatch "[^\n]+" do
        -- A template is made where none of an earlier run is left.
        if not line:find("the template, migrated and seeded", 1, true) then lines[#lines + 1] = line:gsub("%s+", " ") end
      end
      table.sort(lines)
      block = table.concat(lines, "\n")
    end
    blocks[#blocks + 1] = (block:gsub("%s+", " "))
  end
  return table.concat(blocks, "\n\n")
end

describe("the usual failures #heavy", function()
  it("are explained as tests/failures/README.md shows", function()
    local printed = page()
    if os.getenv "UPDATE_FAILURES" then fs.write(folder .. "README.md", printed) end
    assert.equal(canonical(fs.read(folder .. "README.md")), canonical(printed))
  end)
end)
