Begins a project: what is written passes, and nothing that is there is touched.

  $ itlua init
    + itlua.lua
    + specs/first_spec.lua
    + .github/workflows/itlua.yml
    + .gitlab-ci.yml
    + .gitignore
  
  itlua runs the specs; itlua --watch runs them again with each change.
  $ itlua -o TAP
  ok 1 - a service greets by name
  ok 2 - a service is waited for, not slept for
  1..2
  $ itlua --profile ci -o TAP | tail -n 1; itlua list -o TAP; cat .gitignore
  1..2
  specs/first_spec.lua:15: a service greets by name
  specs/first_spec.lua:21: a service is waited for, not slept for
  /.itlua/
  $ cat >check.lua <<'END'
  > local yaml = require "itlua.yaml"
  > local function read(path) return yaml.decode(io.open(path):read("a")) end
  > local github = read(".github/workflows/itlua.yml").jobs.specs
  > print(github.env.DATABASE_URL, github.services.postgres.image, #github.steps)
  > for _, step in ipairs(github.steps) do if step.run and step.run:find("itlua ") and not step.run:find("git") then print(step.run) end end
  > local gitlab = read(".gitlab-ci.yml").specs
  > print(gitlab.variables.DATABASE_URL, gitlab.services[1].name, gitlab.script[1])
  > END
  $ itlua exec check.lua
  postgres://postgres:postgres@127.0.0.1:5432/postgres	postgres:16	5
  itlua --profile ci --shard ${{ matrix.shard }}/2 -o terminal -o junit:.itlua/reports/junit-${{ matrix.shard }}.xml -o jsonl:.itlua/reports/events-${{ matrix.shard }}.jsonl
  postgres://postgres:postgres@postgres:5432/postgres	postgres:16	itlua --profile ci --shard "$CI_NODE_INDEX/$CI_NODE_TOTAL" -o terminal -o "junit:.itlua/reports/junit-$CI_NODE_INDEX.xml" -o "jsonl:.itlua/reports/events-$CI_NODE_INDEX.jsonl"
  $ rm specs/first_spec.lua itlua.lua; echo '-- mine' >itlua.lua; printf 'build' >.gitignore; itlua init; cat itlua.lua .gitignore
    = itlua.lua  (is there: left as it is)
    + specs/first_spec.lua
    = .github/workflows/itlua.yml  (is there: left as it is)
    = .gitlab-ci.yml  (is there: left as it is)
    + .gitignore  (one line more)
  
  itlua runs the specs; itlua --watch runs them again with each change.
  -- mine
  build
  /.itlua/
  $ itlua init --ci gitlab | head -n 3
    = itlua.lua  (is there: left as it is)
    = specs  (has files: no first spec)
    = .gitlab-ci.yml  (is there: left as it is)

What an editor has to know: stubs of every public module, for LuaLS. A newer program writes newer ones.

  $ mkdir editor; itlua init --ci none --editor -C editor | sed 's/([0-9]* modules)/(N modules)/'
    + itlua.lua
    + specs/first_spec.lua
    + .gitignore
    + .luarc.json
    + .itlua/.gitignore
    + .itlua/types  (N modules)
  
  itlua runs the specs; itlua --watch runs them again with each change.
  $ cat >check.lua <<'END'
  > local fs, json = require "itlua.fs", require "itlua.json"
  > print(json.decode(fs.read("editor/.luarc.json"))["workspace.library"][1])
  > local count = 0
  > for _, name in ipairs(fs.list("editor/.itlua/types", { recursive = true })) do
  >   if name:find("%.lua$") then
  >     count = count + 1
  >     local text = fs.read("editor/.itlua/types/" .. name)
  >     assert(load(text, "@" .. name))
  >     assert(text:find("^%-%-%-@meta\n"), name)
  >   end
  > end
  > assert(count > 40, count)
  > local http = fs.read("editor/.itlua/types/itlua/http.lua")
  > assert(http:find("---@return itlua.http.Client\nfunction http.client(options) end", 1, true), http)
  > assert(not http:find("native", 1, true))
  > for _, module in ipairs { "http", "sql", "redis", "kafka", "server", "task", "services", "fs", "json", "process" } do
  >   assert(fs.exists("editor/.itlua/types/itlua/" .. module .. ".lua"), module)
  > end
  > END
  $ itlua exec check.lua
  .itlua/types
  $ cat editor/.itlua/.gitignore; itlua init --ci none --editor -C editor | grep 'luarc\|types' | sed 's/([0-9]* modules)/(N modules)/'
  *
    = .luarc.json  (is there: left as it is)
    + .itlua/types  (N modules)

Only what the folder is for; a folder of specs that is there; what cannot be written.

  $ mkdir -p hub/.github hub/spec; : >hub/spec/a_spec.lua; itlua init -C hub | head -n 4; ls -A hub
    + itlua.lua
    = spec  (has files: no first spec)
    + .github/workflows/itlua.yml
    + .gitignore
  .github
  .gitignore
  itlua.lua
  spec
  $ mkdir none; itlua init --ci none -C none | head -n 3
    + itlua.lua
    + specs/first_spec.lua
    + .gitignore
  $ mkdir bad; : >bad/specs; : >bad/.github; itlua init -C bad
    + itlua.lua
    ! specs/first_spec.lua  (cannot make the folder 'specs': file already exists)
    ! .github/workflows/itlua.yml  (cannot make the folder '.github': file already exists)
    + .gitignore
  [1]
  $ itlua init --ci jenkins; itlua init x; itlua init --editr; itlua init -C nowhere
  itlua: init: --ci: there is github, gitlab, none, not 'jenkins'
  itlua: init: what is 'x'? (itlua init --help)
  itlua: init: unknown option --editr (did you mean --editor?)
  itlua: -C nowhere: No such file or directory
  [2]
