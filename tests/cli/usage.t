Whatever is wrong with a command line or a configuration is said in one line, before anything runs; exit code 2.

  $ mkdir spec; echo 'it("works", function() end)' >spec/a_spec.lua
  $ itlua --shufle
  itlua: unknown option --shufle (did you mean --shuffle?)
  [2]
  $ itlua --no-verbos
  itlua: unknown option --no-verbos (did you mean --no-verbose?)
  [2]
  $ itlua -Z
  itlua: unknown option -Z
  [2]
  $ itlua --no-output
  itlua: --no-output: --output is no flag
  [2]
  $ itlua --repeat
  itlua: --repeat needs a value: N
  [2]
  $ itlua --repeat=many
  itlua: --repeat: must be a whole number above 0, not 'many'
  [2]
  $ itlua -j 0
  itlua: -j: must be a whole number above 0, not '0'
  [2]
  $ itlua --timeout soon
  itlua: --timeout: must be a number of seconds, not 'soon'
  [2]
  $ itlua --verbose=yes
  itlua: --verbose takes no value
  [2]
  $ itlua --no-seed
  itlua: --no-seed: --seed is no flag
  [2]
  $ itlua missing
  itlua: missing: No such file or directory
  [2]
  $ itlua spec missing_spec.lua
  itlua: missing_spec.lua: No such file or directory
  [2]
  $ itlua lst
  itlua: lst: No such file or directory (did you mean the command 'list'?)
  [2]
  $ itlua -C nowhere
  itlua: -C nowhere: no such folder
  [2]
  $ itlua -p '%'
  itlua: --pattern=%: malformed pattern (ends with '%')
  [2]
  $ itlua --filter='('
  itlua: --filter=(: unfinished capture
  [2]
  $ itlua --tags=a,b --exclude-tags=b
  itlua: --tags and --exclude-tags both name #b
  [2]
  $ itlua --exclude-names-file=missing
  itlua: --exclude-names-file missing: No such file or directory
  [2]
  $ itlua --log-success=/nowhere/log
  itlua: --log-success /nowhere/log: No such file or directory
  [2]
  $ itlua exec
  itlua: exec: which FILE? (itlua exec --help)
  [2]
  $ itlua exec missing.lua
  itlua: missing.lua: No such file or directory
  [2]
  $ itlua help nonsense
  itlua: help: there is no command 'nonsense'
  [2]

Reports.

  $ itlua -o juint
  itlua: unknown reporter 'juint' (did you mean junit?)
  [2]
  $ itlua -o nonsense.handler
  itlua: unknown reporter 'nonsense.handler'
  [2]
  $ itlua -o junit:/nowhere/report.xml
  itlua: the report -o junit cannot be written: /nowhere/report.xml: No such file or directory
  [2]
  $ itlua -o junit -Xoutput /nowhere/report.xml
  itlua: the report -o junit cannot be written: /nowhere/report.xml: No such file or directory
  [2]

.busted

  $ itlua -f missing
  itlua: --config-file missing: no such file
  [2]
  $ itlua -r task
  itlua: --run task: there is no .busted
  [2]
  $ echo 'return { default = { verbose = true }' >.busted; itlua
  itlua: .busted:2: '}' expected (to close '{' at line 1) near <eof>
  [2]
  $ echo 'return 5' >.busted; itlua
  itlua: .busted: returns no table
  [2]
  $ echo 'error("no luck")' >.busted; itlua
  itlua: .busted:1: no luck
  [2]
  $ echo 'return { default = { pattern = 7 } }' >.busted; itlua
  itlua: .busted:1: pattern must be a string or a list of strings, not a number
  [2]
  $ echo 'return { default = {}, quick = {}, slow = {} }' >.busted; itlua -r fast
  itlua: .busted: no task 'fast' (there is default, quick, slow)
  [2]
  $ printf 'return {\n  _all = { whatever = 1, output = "TAP" },\n  default = { ["exclude-pattern"] = "nothing" },\n}\n' >.busted; itlua
  ok 1 - works
  1..1
  $ rm .busted

itlua.lua

  $ itlua --profile ci
  itlua: --profile: no profile 'ci'; there is greenfield, polish, enterprise, production
  [2]
  $ printf 'return {\n  jobs = 2,\n  timout = 5,\n}\n' >itlua.lua; itlua
  itlua: itlua.lua:3: unknown setting 'timout' (did you mean timeout?)
  [2]
  $ printf 'return {\n  jobs = 2,\n  timeout = "soon",\n}\n' >itlua.lua; itlua
  itlua: itlua.lua:3: timeout must be a number of seconds, not 'soon'
  [2]
  $ printf 'return {\n  jobs = 2\n  timeout = 5,\n}\n' >itlua.lua; itlua
  itlua: itlua.lua:3: '}' expected (to close '{' at line 1) near 'timeout'
  [2]
  $ echo 'while true do end' >itlua.lua; timeout 30 itlua
  itlua: itlua.lua: still running after 5 s
  [2]
  $ echo 'local t = nil; return { jobs = t.x }' >itlua.lua; itlua
  itlua: itlua.lua:1: attempt to index a nil value (local 't')
  [2]
  $ echo 'return "text"' >itlua.lua; itlua
  itlua: itlua.lua: returns no table
  [2]
  $ echo 'return { profiles = { ci = { jobs = 1 }, full = {} } }' >itlua.lua; itlua --profile c
  itlua: --profile: no profile 'c'; there is ci, full, greenfield, polish, enterprise, production
  [2]
  $ printf 'return {\n  profiles = {\n    ci = { job = 1 },\n  },\n}\n' >itlua.lua; itlua
  itlua: itlua.lua:3: unknown setting 'job' (did you mean jobs?)
  [2]
  $ echo 'return { secrets = "TOKEN" }' >itlua.lua; itlua
  itlua: itlua.lua:1: secrets must be a list of names of environment variables
  [2]
  $ echo 'return { profiles = { ci = { output = "TAP" } } }' >itlua.lua; itlua --profile ci
  ok 1 - works
  1..1

Help and versions.

  $ rm itlua.lua
  $ itlua --version | head -n 1
  itlua VERSION
  $ itlua version | head -n 1
  itlua VERSION
  $ itlua help | head -n 1
  Usage: itlua [options] [paths...]
  $ itlua --help | head -n 1
  Usage: itlua [run] [options] [paths...]
  $ itlua list --help | head -n 1
  Usage: itlua list [options] [paths...]
  $ itlua exec --help | head -n 1
  Usage: itlua exec FILE [arguments...]
  $ itlua doctor --help | head -n 1
  Usage: itlua doctor
  $ itlua version --help | head -n 1
  Usage: itlua version
  $ itlua help list | head -n 1
  Usage: itlua list [options] [paths...]
  $ itlua --itlua-worker
  itlua: --itlua-worker is how itlua starts its own workers; it is not for you
  [2]
  $ itlua doctor | grep -E '^  ok  (Lua|workers) ' | wc -l
  2
  $ itlua . >/dev/full
  itlua: a report could not be written: No space left on device
  [1]
