-- itlua: lock=stock, share=shop
local services = require "itlua.services"
require "support.problems"

-- What the database itself holds to, and what Redis keeps for a while only.

describe("the shop's data", function()
  local available, why = services.shop:available()
  if not available then
    pending("cannot be tried here: " .. why)
    return
  end

  local shop = require("support.shop").service()
  local db = services.db:connect { by = false }
  local redis = services.sessions:connect { by = false }
  local ada, dora = shop:login "ada", shop:login "dora"

  describe("in the database", function()
    it("cannot be what it must not be", function()
      local function violates(constraint, code, statement, ...)
        local err = assert.raises({ kind = "sql", code = code }, db.exec, db, statement, ...)
        assert.equal(constraint, err.constraint)
      end
      violates("stock_quantity_check", "23514", "UPDATE stock SET quantity = -1 WHERE id = 'valve'")
      violates("users_email_key", "23505", "UPDATE users SET email = 'ada@shop.example' WHERE id = 'bob'")
      violates("orders_customer_id_fkey", "23503",
        "INSERT INTO orders (id, status, customer_id, items, total) VALUES ('o-x', 'pending', 'nobody', $1, 0)", {})
    end)

    it("is changed as a whole or not at all", function()
      local orders = db:value "SELECT count(*) FROM orders"
      assert.has_error(function()
        db:transaction(function()
          db:exec "UPDATE stock SET quantity = quantity - 1 WHERE id = 'valve'"
          db:exec "DELETE FROM orders"
          error("changed my mind", 0)
        end)
      end, "changed my mind")
      assert.table(db, "orders").count(orders)
    end)

    it("keeps its stock when an order can only be filled in part", function()
      dora:put("/stock/boiler", { json = { quantity = 0 } }):check()
      local valves = db:value "SELECT quantity FROM stock WHERE id = 'valve'"
      local r = ada:post("/orders", {
        json = { items = { { sku = "valve", quantity = 1 }, { sku = "boiler", quantity = 1 } } },
      })
      assert.response(r).has.status(409)
      assert.equal(valves, db:value "SELECT quantity FROM stock WHERE id = 'valve'")
    end)
  end)

  describe("in Redis", function()
    it("keeps a session for a day; one that has expired cannot be refreshed", function()
      local session = shop:log_in("ada"):check():json()
      local key = "shop:refresh_tokens:" .. session.refresh_token
      assert.redis(redis, key).exists().ttl(86000, 86400)
      redis:pexpire(key, 1)
      assert.eventually(function() return redis:exists(key) == 0 end, { timeout = 20 })
      local r = shop.anybody:post("/auth/refresh", { json = { refresh_token = session.refresh_token } })
      assert.response(r).has.status(401)
    end)

    it("remembers for half a minute what is in stock, and forgets what changes", function()
      local function panels() return ada:get("/stock/panel"):check():json().quantity end
      dora:put("/stock/panel", { json = { quantity = 10 } }):check()
      assert.redis(redis, "shop:stock:panel").is_not.exists()
      assert.equal(10, panels())
      assert.redis(redis, "shop:stock:panel").exists().ttl(10, 30)

      db:exec "UPDATE stock SET quantity = 9 WHERE id = 'panel'" -- behind the service's back
      assert.equal(10, panels())

      shop:order(ada, { { sku = "panel", quantity = 2 } })
      assert.equal(7, panels())
    end)
  end)
end)
