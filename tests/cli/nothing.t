A run in which no test ran is a failure, and says why.

  $ itlua
  itlua: there is no specs/ and no spec/ here: name the files or folders to run
  [2]
  $ mkdir specs
  $ itlua
  
  0 successes / 0 failures / 0 errors / 0 pending : N seconds
  itlua: no test ran: no file below specs has a name that matches _spec
  [1]
  $ itlua --no-tests-ok
  
  0 successes / 0 failures / 0 errors / 0 pending : N seconds
  itlua: no test ran: no file below specs has a name that matches _spec
  $ echo 'describe("empty", function() end)' >specs/empty_spec.lua
  $ itlua
  
  0 successes / 0 failures / 0 errors / 0 pending : N seconds
  itlua: no test ran: there is no test in specs/empty_spec.lua
  [1]
  $ echo 'it("one #slow", function() end)' >specs/one_spec.lua
  $ itlua --tags=fast
  
  0 successes / 0 failures / 0 errors / 0 pending : N seconds
  itlua: no test ran: --tags=fast left none of the tests in 2 files
  [1]
  $ itlua --filter=none --filter-out=one --name=x
  
  0 successes / 0 failures / 0 errors / 0 pending : N seconds
  itlua: no test ran: --filter=none, --filter-out=one, --name=x left none of the tests in 2 files
  [1]
  $ itlua specs/one_spec.lua:7
  
  0 successes / 0 failures / 0 errors / 0 pending : N seconds
  itlua: no test ran: specs/one_spec.lua:7 left none of the tests in specs/one_spec.lua
  [1]
  $ itlua --filter=none --no-tests-ok
  
  0 successes / 0 failures / 0 errors / 0 pending : N seconds
  itlua: no test ran: --filter=none left none of the tests in 2 files
  $ itlua list --filter=none
  itlua: no test ran: --filter=none left none of the tests in 2 files
  [1]
  $ itlua -p _test
  
  0 successes / 0 failures / 0 errors / 0 pending : N seconds
  itlua: no test ran: no file below specs has a name that matches _test
  [1]
  $ echo 'pending("later")' >specs/empty_spec.lua
  $ itlua specs/empty_spec.lua
  .
  0 successes / 0 failures / 0 errors / 1 pending : N seconds
  
  Pending -> specs/empty_spec.lua @ 1
  later

Files that cannot be loaded are errors.

  $ printf 'it("x", function()\n  local = 3\nend)\n' >specs/syntax_spec.lua
  $ itlua specs/syntax_spec.lua
  *
  0 successes / 0 failures / 1 error / 0 pending : N seconds
  
  Error -> specs/syntax_spec.lua:2: <name> expected near '='
  specs/syntax_spec.lua
  [1]
  $ echo 'error("at the top")' >specs/raise_spec.lua
  $ itlua specs/raise_spec.lua specs/one_spec.lua
  *+
  1 success / 0 failures / 1 error / 0 pending : N seconds
  
  Error -> specs/raise_spec.lua @ 1
  suite specs/raise_spec.lua
  specs/raise_spec.lua:1: at the top
  [1]
