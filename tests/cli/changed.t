Outside a repository, and with a commit that nobody knows.

  $ mkdir -p specs/support specs/fixtures service; echo 'return { output = "TAP", lpath = "./specs/?.lua;./?.lua" }' >itlua.lua
  $ itlua --only-changed
  itlua: --only-changed: this is no git repository* (glob)
  [2]
  $ export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
  $ git -c init.defaultBranch=main init -q; git config user.name t; git config user.email t@example.org
  $ cat >specs/orders_spec.lua <<'END'
  > local world = require "support.world"
  > it("orders", function() assert.truthy(world) end)
  > END
  $ cat >specs/users_spec.lua <<'END'
  > it("users", function() assert.truthy(io.open("specs/fixtures/users.json")) end)
  > END
  $ echo 'it("is alone", function() end)' >specs/alone_spec.lua
  $ echo 'return require("support.deep")' >specs/support/world.lua; echo 'return {}' >specs/support/deep.lua
  $ echo '{}' >specs/fixtures/users.json; echo 'print("serving")' >service/main.lua; echo '# Read me' >README.md
  $ changed() { itlua --only-changed "$@" -j 1 --concurrency 1; }

Before the first commit everything is new.

  $ changed | tail -n 1
  itlua: --only-changed: everything runs: itlua.lua has changed since the last commit, and has the settings of all
  1..3
  $ git add -A; git commit -qm first
  $ changed
  itlua: --only-changed: nothing has changed since the last commit
  1..0

A spec that changed, one that requires what changed, one that names what changed, a new one.

  $ echo '-- more' >>specs/alone_spec.lua; changed
  itlua: --only-changed: 1 of 3 files, touched by what changed since the last commit (1 file)
  ok 1 - is alone
  1..1
  $ git checkout -q specs; echo '-- more' >>specs/support/deep.lua; changed
  itlua: --only-changed: 1 of 3 files, touched by what changed since the last commit (1 file)
  ok 1 - orders
  1..1
  $ git checkout -q specs; echo '[]' >specs/fixtures/users.json; changed
  itlua: --only-changed: 1 of 3 files, touched by what changed since the last commit (1 file)
  ok 1 - users
  1..1
  $ git checkout -q specs; echo 'it("is new", function() end)' >specs/new_spec.lua; changed; rm specs/new_spec.lua
  itlua: --only-changed: 1 of 4 files, touched by what changed since the last commit (1 file)
  ok 1 - is new
  1..1
  $ echo '-- more' >>specs/support/deep.lua; (cd specs && itlua --only-changed --lpath './?.lua' -o TAP .); git checkout -q specs
  itlua: --only-changed: 1 of 3 files, touched by what changed since the last commit (1 file)
  ok 1 - orders
  1..1
  $ rm specs/support/deep.lua; changed | grep ok; git checkout -q specs
  itlua: --only-changed: 1 of 3 files, touched by what changed since the last commit (1 file)
  not ok 1 - suite specs/orders_spec.lua
  $ rm specs/alone_spec.lua; changed; git checkout -q specs
  itlua: --only-changed: 0 of 2 files, touched by what changed since the last commit (1 file)
  1..0
  $ echo more >>README.md; changed; git checkout -q .
  itlua: --only-changed: 0 of 3 files, touched by what changed since the last commit (1 file)
  1..0

What cannot be traced runs everything: settings, the code of a service, a helper.

  $ echo '-- more' >>itlua.lua; changed | tail -n 1; git checkout -q .
  itlua: --only-changed: everything runs: itlua.lua has changed since the last commit, and has the settings of all
  1..3
  $ echo '-- more' >>service/main.lua; changed | tail -n 1; git checkout -q .
  itlua: --only-changed: everything runs: service/main.lua has changed since the last commit, and is used by no spec that says so
  1..3
  $ echo 'return {}' >specs/support/help.lua; changed --helper specs/support/help.lua | tail -n 1; rm specs/support/help.lua
  itlua: --only-changed: everything runs: specs/support/help.lua has changed since the last commit, and is the helper of all
  1..3

Since another commit; of a branch, since it was left.

  $ echo '-- more' >>specs/alone_spec.lua; git commit -qam second; changed; changed HEAD~1; itlua --only-changed=HEAD~1
  itlua: --only-changed: nothing has changed since the last commit
  1..0
  itlua: --only-changed: 1 of 3 files, touched by what changed since HEAD~1 (1 file)
  ok 1 - is alone
  1..1
  itlua: --only-changed: 1 of 3 files, touched by what changed since HEAD~1 (1 file)
  ok 1 - is alone
  1..1
  $ git checkout -q -b topic; echo '-- more' >>specs/users_spec.lua; git commit -qam third
  $ git checkout -q main; echo '-- more' >>specs/orders_spec.lua; git commit -qam fourth; git checkout -q topic
  $ changed main
  itlua: --only-changed: 1 of 3 files, touched by what changed since main (1 file)
  ok 1 - users
  1..1
  $ itlua --only-changed=nowhere
  itlua: --only-changed: git knows no commit 'nowhere'
  [2]
  $ itlua --only-changed nowhere
  itlua: nowhere: No such file or directory
  [2]
  $ itlua --only-changed --last-failed -j 1 --concurrency 1 main specs/users_spec.lua
  itlua: --only-changed: 1 of 1 files, touched by what changed since main (1 file)
  itlua: --last-failed: nothing failed last time: everything runs
  ok 1 - users
  1..1
