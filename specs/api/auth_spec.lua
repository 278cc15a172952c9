local jwt = require "itlua.jwt"
local shop = require("support.shop").start()
require "support.problems"

describe("logging in", function()
  local function login(email, password)
    return shop.anybody:post("/auth/login", { json = { email = email, password = password } })
  end

  it("gives a token that says who one is", function()
    local r = login("ada@shop.example", "ada's password")
    assert.response(r).has.status(200)
    local claims = jwt.decode(r:json().access_token).claims
    assert.subset({ iss = "shop", sub = "ada", role = "customer" }, claims)
    assert.near(900, claims.exp - claims.iat, 1)
  end)

  it("is refused with a wrong password, and does not tell that from an unknown email", function()
    local wrong = login("ada@shop.example", "bob's password")
    local unknown = login("nobody@shop.example", "ada's password")
    assert.problem(wrong, 401, "wrong_credentials")
    assert.same(wrong:json(), unknown:json())
  end)

  it("says what is missing", function()
    local r = shop.anybody:post("/auth/login", { json = { email = "" } })
    assert.problem(r, 422, "invalid")
    assert.same({
      { field = "email", problem = "must not be empty" },
      { field = "password", problem = "is missing" },
    }, r:json().errors)
  end)
end)

describe("a token", function()
  local function me(token)
    return shop:with_token(token):get "/me"
  end

  it("lets its user in", function()
    assert.response(shop:login("bob"):get "/me").has.status(200).matches { id = "bob", role = "customer" }
  end)

  it("is needed", function()
    local r = shop.anybody:get "/me"
    assert.problem(r, 401, "no_token")
    assert.response(r).has.header("WWW-Authenticate", 'Bearer error="no_token"')
  end)

  it("is refused when it has expired", function()
    assert.problem(me(shop:token({}, { expires_in = -1 })), 401, "expired_token")
  end)

  it("is refused when somebody else signed it", function()
    assert.problem(me(jwt.sign({ iss = "shop", sub = "ada", role = "dispatcher" }, "a guess", { expires_in = 60 })),
      401, "invalid_token")
    assert.problem(me(shop:token { iss = "another shop" }), 401, "invalid_token")
  end)

  it("is refused when it was tampered with", function()
    local token = shop:token {}
    assert.problem(me(jwt.tamper(token)), 401, "invalid_token")
    assert.problem(me(jwt.tamper(token, { claims = { role = "dispatcher" } })), 401, "invalid_token")
    assert.problem(me(jwt.tamper(token, { alg = "none" })), 401, "invalid_token")
  end)

  it("is refused when it is none", function()
    assert.problem(me "nonsense", 401, "invalid_token")
  end)
end)

describe("refreshing", function()
  local function refresh(token)
    return shop.anybody:post("/auth/refresh", { json = { refresh_token = token } })
  end

  it("gives new tokens, once for each refresh token", function()
    local first = shop:log_in("ada"):json()
    local r = refresh(first.refresh_token)
    assert.response(r).has.status(200)
    assert.response(shop:with_token(r:json().access_token):get "/me").has.json("id", "ada")
    assert.problem(refresh(first.refresh_token), 401, "invalid_token")
    assert.response(refresh(r:json().refresh_token)).has.status(200)
  end)

  it("is refused with an access token", function()
    assert.problem(refresh(shop:token({}):sub(1, 100)), 401, "invalid_token")
  end)
end)

describe("roles", function()
  it("keep customers from what is the dispatchers'", function()
    local ada = shop:login "ada"
    assert.problem(ada:get "/analytics/orders", 403, "forbidden")
    assert.problem(ada:post("/technicians", { json = {} }), 403, "forbidden")
    assert.problem(ada:put("/stock/valve", { json = {} }), 403, "forbidden")
    assert.problem(ada:post("/orders/x/assign", { json = {} }), 403, "forbidden")
  end)
end)
