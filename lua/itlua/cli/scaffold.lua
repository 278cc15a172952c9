--- itlua init: begins a project: settings, a first spec that passes, CI. Asks nothing and overwrites nothing.

local fs = require "itlua.fs"
local options = require "itlua.cli.options"
local system = require "itlua.cli.core"

local scaffold = {}

scaffold.options = {
  { long = "ci", arg = "KIND", kind = "commas", help = "github, gitlab, none (default: what the folder has, else both)" },
  { long = "editor", kind = "flag", help = "also .luarc.json and what LuaLS has to know of itlua, in .itlua/types" },
  { long = "directory", short = "C", arg = "DIR", kind = "directory", help = "go to DIR first" },
  { long = "help", short = "h", kind = "flag", help = "print this" },
}
for _, o in ipairs(scaffold.options) do o.group = "Options" end

---@return string
function scaffold.help()
  return [[
Usage: itlua init [options]

Begins a project in this folder: itlua.lua (settings), specs/first_spec.lua (which passes),
a workflow for GitHub and GitLab with a database and a cache as service containers, and a
line for .itlua/ in .gitignore. It asks nothing, and leaves every file that is there as it is.

Exit code: 0; 1 something could not be written; 2 wrong usage.
]] .. options.describe(scaffold.options)
end

local settings = [[
-- The settings of this project's runs: every option of `itlua --help` by its long name, and what is below.
return {
  lpath = "./specs/?.lua;./?.lua", -- where specs find what they require
  timeout = 30,                    -- seconds a test may take

  -- What the specs need, started when it is first used: `require("itlua.services").db:connect()`. A server that the
  -- environment names (DATABASE_URL, REDIS_URL: CI does) is used as it is; else Docker, else what is installed.
  services = {
    -- db = { kind = "postgres", migrations = "db/migrations" },
    -- cache = { kind = "redis" },
    -- app = {
    --   kind = "process", command = { "./server" }, ready = { http = "/health" },
    --   env = { PORT = "${app.port}", DATABASE_URL = "${db.url}", REDIS_URL = "${cache.url}" },
    -- },
  },

  -- How strict a run is: `itlua --profile ci`. Built in: greenfield, polish, enterprise, production.
  profiles = {
    ci = { like = "polish", timeout = 60 },
  },

  -- Environment variables whose values appear nowhere: not on the screen, not in a report.
  secrets = {},
}
]]

local first_spec = [[
-- A first spec. It tests a server that it starts itself; put the base_url of your service in its place.
local http, server, task = require "itlua.http", require "itlua.server", require "itlua.task"

describe("a service", function()
  local stub = server.listen()
  local api = http.client { base_url = stub.url, timeout = 5 }

  setup(function()
    stub:get("/greeting/{name}", function(request)
      return { json = { text = "Hello, " .. request.params.name .. "!" } }
    end)
  end)
  teardown(function() stub:close() end)

  it("greets by name", function()
    local r = api:get("/greeting/Ada")
    assert.response(r).has.status(200)
    assert.equal("Hello, Ada!", r:json().text)
  end)

  it("is waited for, not slept for", function()
    local seen = 0
    task.spawn(function()
      for _ = 1, 3 do
        api:get("/greeting/you")
        seen = seen + 1
      end
    end)
    assert.eventually(function() return seen == 3 end)
  end)
end)
]]

-- How a CI job gets the program: built from its sources, and kept for the next job.
local install = {
  "git clone --depth 1 \"$ITLUA_REPOSITORY\" /tmp/itlua",
  "make -C /tmp/itlua deps",
  "make -C /tmp/itlua -j4 install PREFIX=\"$HOME/.local\"",
}

local github = ([[
# Specs on every push. The jobs are shards of one run: each takes a part of the files; a last one makes one report of all
# and keeps the times by which the next shards are cut.
name: itlua
on: [push, pull_request]

env:
  ITLUA_REPOSITORY: ${{ vars.ITLUA_REPOSITORY }} # where itlua is cloned from: a variable of the repository

jobs:
  specs:
    runs-on: ubuntu-24.04
    timeout-minutes: 20
    strategy:
      fail-fast: false
      matrix:
        shard: [1, 2]
    services:
      postgres:
        image: postgres:16
        env: { POSTGRES_PASSWORD: postgres }
        ports: ["5432:5432"]
        options: --health-cmd pg_isready --health-interval 2s --health-timeout 5s --health-retries 30
      redis:
        image: redis:7
        ports: ["6379:6379"]
        options: --health-cmd "redis-cli ping" --health-interval 2s --health-timeout 5s --health-retries 30
    env:
      DATABASE_URL: postgres://postgres:postgres@127.0.0.1:5432/postgres
      REDIS_URL: redis://127.0.0.1:6379
    steps:
      - uses: actions/checkout@v4
      - uses: actions/cache/restore@v4
        with: { path: .itlua/times.json, key: itlua-times, restore-keys: itlua-times- }
      - name: Install itlua
        run: |
          INSTALL
          echo "$HOME/.local/bin" >>"$GITHUB_PATH"
      - name: Run the specs
        run: >-
          itlua --profile ci --shard ${{ matrix.shard }}/2 -o terminal
          -o junit:.itlua/reports/junit-${{ matrix.shard }}.xml -o jsonl:.itlua/reports/events-${{ matrix.shard }}.jsonl
      - uses: actions/upload-artifact@v4
        if: always()
        with: { name: "itlua-${{ matrix.shard }}", path: .itlua/reports, include-hidden-files: true }

  report:
    runs-on: ubuntu-24.04
    needs: specs
    if: always()
    steps:
      - uses: actions/checkout@v4
      - uses: actions/cache/restore@v4
        with: { path: .itlua/times.json, key: itlua-times, restore-keys: itlua-times- }
      - uses: actions/download-artifact@v4
        with: { path: shards, merge-multiple: true }
      - name: Install itlua
        run: |
          INSTALL
          echo "$HOME/.local/bin" >>"$GITHUB_PATH"
      - run: itlua report shards/events-*.jsonl --history -o terminal -o github -o html:report.html
      - uses: actions/upload-artifact@v4
        if: always()
        with: { name: itlua-report, path: report.html }
      - uses: actions/cache/save@v4
        if: always()
        with: { path: .itlua/times.json, key: "itlua-times-${{ github.run_id }}" }
]]):gsub("INSTALL", (table.concat(install, "\n          "):gsub("%%", "%%%%")))

local gitlab = ([[
# Specs on every push. The parallel jobs are shards of one run: each takes a part of the files; a last one makes one report
# of all and keeps the times by which the next shards are cut.
stages: [test, report]

.itlua:
  image: ubuntu:24.04
  # ITLUA_REPOSITORY, where itlua is cloned from, is a CI/CD variable of the project.
  before_script:
    - apt-get update && apt-get install -y git make gcc
    - INSTALL
    - export PATH="$HOME/.local/bin:$PATH"

specs:
  extends: .itlua
  stage: test
  parallel: 2
  timeout: 20m
  services:
    - { name: "postgres:16", alias: postgres }
    - { name: "redis:7", alias: redis }
  variables:
    POSTGRES_PASSWORD: postgres
    DATABASE_URL: postgres://postgres:postgres@postgres:5432/postgres
    REDIS_URL: redis://redis:6379
  cache: { key: itlua-times, paths: [.itlua/times.json], policy: pull }
  script:
    - >-
      itlua --profile ci --shard "$CI_NODE_INDEX/$CI_NODE_TOTAL" -o terminal
      -o "junit:.itlua/reports/junit-$CI_NODE_INDEX.xml" -o "jsonl:.itlua/reports/events-$CI_NODE_INDEX.jsonl"
  artifacts:
    when: always
    paths: [.itlua/reports]
    reports: { junit: ".itlua/reports/junit-*.xml" }

report:
  extends: .itlua
  stage: report
  when: always
  cache: { key: itlua-times, paths: [.itlua/times.json], policy: pull-push }
  script:
    - >-
      itlua report .itlua/reports/events-*.jsonl --history -o terminal -o html:report.html -o gitlab:code-quality.json
  artifacts:
    when: always
    paths: [report.html]
    reports: { codequality: code-quality.json }
]]):gsub("INSTALL", (table.concat(install, "\n    - "):gsub("%%", "%%%%")))

local luarc = [[
{
  "$schema": "https://raw.githubusercontent.com/LuaLS/vscode-lua/master/setting/schema.json",
  "runtime.version": "Lua 5.4",
  "workspace.library": [".itlua/types"],
  "diagnostics.globals": [
    "describe", "context", "insulate", "expose", "it", "spec", "test", "pending", "before_each", "after_each", "setup",
    "teardown", "lazy_setup", "lazy_teardown", "strict_setup", "strict_teardown", "finally", "randomize", "spy", "stub",
    "mock", "match"
  ]
}
]]

local failed

local function say(mark, path, why)
  io.stdout:write(("  %s %s%s\n"):format(mark, path, why and "  (" .. why .. ")" or ""))
end

local function make_folder(path)
  local folder = path:match("^(.*)/[^/]*$")
  if not folder or system.kind(folder) == "directory" then return true end
  make_folder(folder)
  local ok, why = pcall(fs.mkdir, folder)
  return ok or system.kind(folder) == "directory", why
end

-- Writes a file that is not there yet.
local function add(path, text, replace)
  if system.kind(path) and not replace then return say("=", path, "is there: left as it is") end
  local ok, why = make_folder(path)
  local f
  if ok then f, why = io.open(path, "wb") end
  if f then
    ok, why = f:write(text)
    local closed, problem = f:close()
    if ok and closed then return say("+", path) end
    why = why or problem
  end
  failed = true
  say("!", path, (tostring(why):gsub("^" .. path:gsub("%p", "%%%0") .. ": ", "")))
end

-- A line for what a run keeps.
local function ignore()
  local path, text = ".gitignore", ""
  local f = io.open(path, "rb")
  if f then
    text = f:read("a")
    f:close()
    for line in text:gmatch("[^\r\n]+") do
      if line:find("^/?%.itlua/?$") then return say("=", path, "has .itlua already") end
    end
  end
  if text ~= "" and text:sub(-1) ~= "\n" then text = text .. "\n" end
  local out, why = io.open(path, "wb")
  if out and out:write(text, "/.itlua/\n") and out:close() then return say("+", path, f and "one line more" or nil) end
  failed = true
  say("!", path, why)
end

local function wanted_ci(given)
  if given.ci then
    local wanted = {}
    for _, kind in ipairs(given.ci) do
      if kind ~= "github" and kind ~= "gitlab" and kind ~= "none" then
        return nil, ("init: --ci: there is github, gitlab, none, not '%s'"):format(kind)
      end
      wanted[kind] = true
    end
    return wanted
  end
  local has_github, has_gitlab = system.kind(".github") ~= nil, system.kind(".gitlab-ci.yml") ~= nil
  if has_github == has_gitlab then return { github = true, gitlab = true } end
  return { github = has_github, gitlab = has_gitlab }
end

local function specs_are_there()
  for _, folder in ipairs { "specs", "spec" } do
    if system.kind(folder) == "directory" and #(system.scan(folder) or {}) > 0 then return folder end
  end
end

local function add_types()
  local ok, stubs = pcall(require, "itlua.cli.stubs")
  if not ok then
    failed = true
    return say("!", ".itlua/types", "this build has none: it was made without them")
  end
  add(".luarc.json", luarc)
  if not system.kind(".itlua/.gitignore") then add(".itlua/.gitignore", "*\n") end
  local names = {}
  for name in pairs(stubs) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do -- they are this program's, not the user's: a newer one writes newer ones
    local path = ".itlua/types/" .. name
    local made, why = make_folder(path)
    local f = made and io.open(path, "wb")
    if not f or not f:write(stubs[name]) or not f:close() then
      failed = true
      return say("!", path, why)
    end
  end
  say("+", ".itlua/types", #names .. " modules")
end

---@param args string[]
---@return integer exit_code
function scaffold.run(args)
  local refuse = require("itlua.cli").refuse
  local given, rest = options.parse(args, scaffold.options)
  if not given then return refuse("init: " .. rest) end
  if rest[1] then return refuse(("init: what is '%s'? (itlua init --help)"):format(rest[1])) end
  if given.directory then
    local ok, why = system.chdir(given.directory)
    if not ok then return refuse(("-C %s: %s"):format(given.directory, why)) end
  end
  local ci, wrong = wanted_ci(given)
  if not ci then return refuse(wrong) end
  failed = false
  add("itlua.lua", settings)
  local there = specs_are_there()
  if there then say("=", there, "has files: no first spec")
  else add("specs/first_spec.lua", first_spec) end
  if ci.github then add(".github/workflows/itlua.yml", github) end
  if ci.gitlab then add(".gitlab-ci.yml", gitlab) end
  ignore()
  if given.editor then add_types() end
  if not failed then io.stdout:write("\nitlua runs the specs; itlua --watch runs them again with each change.\n") end
  return failed and 1 or 0
end

return scaffold
