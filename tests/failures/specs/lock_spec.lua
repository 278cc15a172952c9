local services, task = require "itlua.services", require "itlua.task"

describe("two clerks", function()
  local db, other

  setup(function()
    db = services.db:connect()
    other = db:clone()
    db:exec "INSERT INTO customers VALUES ('ada@example.org', 'Ada')"
  end)
  teardown(function() other:close() end)

  it("rename a customer", function()
    db:exec "BEGIN"
    db:exec "UPDATE customers SET name = 'Ada L.'"
    local second = task.spawn(function() other:exec "UPDATE customers SET name = 'A. Lovelace'" end)
    second:join()
    db:exec "COMMIT"
  end)
end)
