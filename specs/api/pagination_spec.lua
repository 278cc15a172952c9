local json = require "itlua.json"
local shop = require("support.shop").start()
require "support.problems"

describe("the list of orders", function()
  local ada, bob, dora = shop:login "ada", shop:login "bob", shop:login "dora"
  local ids = {}

  setup(function()
    for i = 1, 7 do ids[i] = shop:order(ada).id end
    shop:order(bob)
  end)

  -- The ids of all pages, and how many pages there were.
  local function pages(client, query)
    local seen, count = {}, 0
    repeat
      local page = client:get("/orders", { query = query }):check():json()
      for _, order in ipairs(page.items) do seen[#seen + 1] = order.id end
      count, query.cursor = count + 1, page.next
    until page.next == json.null
    return seen, count
  end

  it("comes in pages, oldest first", function()
    local seen, count = pages(ada, { limit = 3 })
    assert.same(ids, seen)
    assert.equal(3, count)
  end)

  it("has no next page when the last is full", function()
    local seen, count = pages(ada, { limit = 7 })
    assert.equal(7, #seen)
    assert.equal(1, count)
  end)

  it("stays in step when an order comes in between", function()
    local first = ada:get("/orders", { query = { limit = 6 } }):json()
    local late = shop:order(ada).id
    local rest = ada:get("/orders", { query = { limit = 6, cursor = first.next } }):json()
    assert.same({ ids[7], late }, { rest.items[1].id, rest.items[2].id })
  end)

  it("has only one's own orders, for customers", function()
    assert.equal(1, #bob:get("/orders"):json().items)
    assert.is_true(#dora:get("/orders"):json().items > 7)
  end)

  it("can be of one state", function()
    ada:post("/orders/" .. ids[2] .. "/cancel"):check()
    local cancelled = ada:get("/orders", { query = { status = "cancelled" } }):json().items
    assert.equal(1, #cancelled)
    assert.equal(ids[2], cancelled[1].id)
  end)

  it("refuses limits and cursors that are none", function()
    for _, limit in ipairs { 0, 101, -1, "many", 1.5 } do
      assert.problem(ada:get("/orders", { query = { limit = limit } }), 400, "bad_limit")
    end
    assert.problem(ada:get("/orders", { query = { cursor = "nonsense" } }), 400, "bad_cursor")
  end)
end)
