--- Who is there: login for a token (JWT, HS256), refreshing it, and middleware that lets in whom a route is for.

local encode = require "itlua.encode"
local jwt = require "itlua.jwt"
local time = require "itlua.time"
local problem = require "problem"
local validate = require "validate"

local auth = {}

local credentials = validate.object { email = validate.text(100), password = validate.text(100) }
local refreshing = validate.object { refresh_token = validate.text(100) }

local function unauthorized(code, detail)
  problem.raise(401, code, detail, nil, { ["www-authenticate"] = ('Bearer error="%s"'):format(code) })
end

-- The claims of the request's token.
local function claims_of(req, secret)
  local token = (req:header "authorization" or ""):match "^Bearer +(%S+)$"
  if not token then unauthorized("no_token", "This needs a token: log in first.") end
  local ok, claims = pcall(jwt.verify, token, secret, { algorithms = { "HS256" }, issuer = "shop" })
  if ok then return claims end
  if claims.code == "expired" then unauthorized("expired_token", "The token has expired: refresh it.") end
  return unauthorized("invalid_token", "The token is not valid.")
end

--- Middleware for users with one of the roles (anybody who is logged in, without any); the handler finds them in req.user.
function auth.only(shop, ...)
  local roles = {}
  for _, role in ipairs { ... } do roles[role] = true end
  return function(req, handler)
    local claims = claims_of(req, shop.config.secret)
    if next(roles) and not roles[claims.role] then
      problem.raise(403, "forbidden", ("This is not for a %s."):format(claims.role))
    end
    req.user = { id = claims.sub, role = claims.role, technician_id = claims.technician_id }
    return handler(req)
  end
end

local function tokens_for(shop, user)
  local now, seconds = time.now(), shop.config.token_seconds
  local claims = {
    iss = "shop", sub = user.id, role = user.role, technician_id = user.technician_id, iat = now, exp = now + seconds,
  }
  local refresh = encode.random_string(40)
  shop.store:insert("refresh_tokens", { id = refresh, user_id = user.id, expires = now + 86400 })
  return {
    json = {
      access_token = jwt.sign(claims, shop.config.secret),
      refresh_token = refresh,
      token_type = "Bearer",
      expires_in = seconds,
    },
    headers = { ["cache-control"] = "no-store" },
  }
end

function auth.serve(app, shop)
  local store = shop.store

  app:post("/auth/login", function(req)
    local given = validate.body(req, credentials)
    local user = store:find("users", { email = given.email })[1]
    if not user or user.password ~= encode.sha256(user.id .. ":" .. given.password) then
      unauthorized("wrong_credentials", "The email or the password is wrong.")
    end
    return tokens_for(shop, user)
  end)

  -- A refresh token is good for one use.
  app:post("/auth/refresh", function(req)
    local given = validate.body(req, refreshing)
    local known = store:delete("refresh_tokens", given.refresh_token)
    if not known or known.expires < time.now() then
      unauthorized("invalid_token", "The refresh token is not valid: log in again.")
    end
    return tokens_for(shop, store:get("users", known.user_id))
  end)

  app:get("/me", auth.only(shop), function(req)
    local user = store:get("users", req.user.id)
    return { json = { id = user.id, email = user.email, role = user.role } }
  end)
end

return auth
