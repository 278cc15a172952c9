--- Causes in the answers of servers: who refused what, and why.

local cause = require "itlua.report.cause"
local text = require "itlua.report.text"

-- The last request, where its answer is what the failure is about: it names the status, or nothing better is known.
local function answered(facts, low, high)
  local span = facts.asked
  local response = span and span.data.response
  local status = type(response) == "table" and tonumber(response.status)
  if not status or status < low or status > high then return nil end
  local named = facts.message:find("%f[%d]" .. status .. "%f[%D]")
  if not named and facts.kind ~= "json" and (facts.kind or facts.problem.kind ~= "error") then return nil end
  return span, status, response, span.data.request
end

local function origin(url)
  local host, port = cause.address(url)
  return ("%s:%s"):format(host, port)
end

local function path_of(url) return url:match "^%a+://[^/?#]+([^?#]*)" or url end

-- What an API says of its refusal, in the shapes they usually have.
local function said(body)
  if type(body) ~= "string" or body == "" then return nil end
  for _, name in ipairs { "message", "detail", "error_description", "title", "error", "reason" } do
    local value = body:match('"' .. name .. '"%s*:%s*"(.-[^\\])"')
    if value then return value end
  end
  if not body:find "^%s*[<{%[]" then return text.clip(text.one_line(body), 160) end
end

local function service_of(facts, url)
  local service = facts:service_at(cause.address(url))
  return service and "service " .. service.name or "the server at " .. origin(url), service
end

local function when(seconds)
  if seconds < 120 then return ("%d s"):format(seconds) end
  if seconds < 7200 then return ("%d min"):format(seconds // 60) end
  return ("%d h"):format(seconds // 3600)
end

-- Seconds since 1970 at which a response was made, as its Date says.
local months = { Jan = 1, Feb = 2, Mar = 3, Apr = 4, May = 5, Jun = 6, Jul = 7, Aug = 8, Sep = 9, Oct = 10, Nov = 11,
  Dec = 12 }
local function moment(response)
  local day, month, year, h, m, s = tostring((response.headers or {}).date or ""):match "(%d+) (%a+) (%d+) (%d+):(%d+):(%d+)"
  if not day or not months[month] then return nil end
  local y, mo = tonumber(year) - (months[month] <= 2 and 1 or 0), (months[month] + 9) % 12
  local days = 365 * y + y // 4 - y // 100 + y // 400 + (mo * 306 + 5) // 10 + tonumber(day) - 1 - 719468
  return ((days * 24 + tonumber(h)) * 60 + tonumber(m)) * 60 + tonumber(s)
end

local function unauthorized(facts)
  local _, status, response, request = answered(facts, 401, 401)
  if not status then return nil end
  local who = service_of(facts, request.url)
  local key = "401 " .. origin(request.url)
  local token, headers = request.token, request.headers or {}
  local has = false
  for name in pairs(headers) do has = has or name:lower() == "authorization" or name:lower() == "cookie" end
  local now = moment(response)
  if token and tonumber(token.exp) then
    local expired = os.date("!%Y-%m-%d %H:%M:%S UTC", math.floor(tonumber(token.exp)))
    if now and now >= token.exp then
      return { ("the token expired at %s, %s before the request"):format(expired, when(now - token.exp)),
        "look at where the test gets it: jwt.sign{…} with a later exp, or a fresh login" }, key
    end
    if now and tonumber(token.nbf) and now < token.nbf then
      return { ("the token is not valid before %s, %s after the request"):format(
        os.date("!%Y-%m-%d %H:%M:%S UTC", math.floor(tonumber(token.nbf))), when(token.nbf - now)) }, key
    end
    return { ("%s does not accept the token, which is valid until %s"):format(who, expired),
      ("is it signed with the server's key (%s), for it (aud %s), by whom it trusts (iss "
        .. "%s)?"):format(tostring(token.alg or "?"),
        type(token.aud) == "string" and token.aud or "none", tostring(token.iss or "none")) }, key
  end
  if not has then
    return { ("the request had neither an Authorization header nor a cookie, and %s wants to know who asks"):format(who),
      "http.client{ bearer = token } or { basic = {user, password} }" }, key
  end
  local challenge = (response.headers or {})["www-authenticate"]
  local words = said(response.body)
  return { ("%s does not accept the credentials%s"):format(who, words and ": " .. words or ""),
    challenge and "it asks for: " .. challenge or nil }, key
end

local function forbidden(facts)
  local _, status, response, request = answered(facts, 403, 403)
  if not status then return nil end
  local words = said(response.body)
  return { ("%s knows who asks, and that user may not %s %s%s"):format(service_of(facts, request.url), request.method,
    path_of(request.url), words and ": " .. words or "") }, ("403 %s %s"):format(request.method, request.url)
end

local function no_route(facts)
  local _, status, response, request = answered(facts, 404, 405)
  if not status then return nil end
  local who, path = service_of(facts, request.url), path_of(request.url)
  local near = {}
  for _, span in ipairs(facts.spans) do
    local data = span.what == "http.request" and span.data
    if data and data.response and (tonumber(data.response.status) or 500) < 400
      and origin(data.request.url) == origin(request.url) then
      near[#near + 1] = data.request.method .. " " .. path_of(data.request.url)
    end
  end
  local key = ("%d %s %s"):format(status, request.method, request.url)
  local lines = {}
  local words = said(response.body)
  if status == 405 then
    lines[1] = ("%s has a route %s, but not for %s; it allows %s"):format(who, path, request.method,
      (response.headers or {}).allow or "other methods")
  elseif tostring(response.body):find "no route for" then
    lines[1] = ("%s has no route for %s %s: is the path or the method misspelt, or the route not registered?"):format(who,
      request.method, path)
  else
    lines[1] = ("%s has no %s%s: either there is no such route, or no such thing"):format(who, path, words and " ("
      .. words .. ")" or "")
  end
  if near[1] then lines[#lines + 1] = ("in this test it did answer %s"):format(table.concat(near, ", ", math.max(1,
    #near - 2))) end
  return lines, key
end

local function server_failed(facts)
  local span, status, response, request = answered(facts, 500, 599)
  if not span then return nil end
  local who, service = service_of(facts, request.url)
  local words = service and facts:last_words(service.name)
  for own in facts:back "^server$" do
    local raised = own.detail == span.detail and own.outcome:match "^error: (.*)"
    if raised then words = text.clip("the handler raised: " .. raised, 200) end
  end
  local lines = { ("%s failed while it handled %s %s (%d)"):format(who, request.method, path_of(request.url), status) }
  if words then
    lines[2] = words:find "^the handler raised" and words or "its log: " .. words
  else
    local raised = facts.printed:match "itlua%.server: [^\n]*"
    local body = said(response.body)
    if raised then
      lines[2] = "its log: " .. text.clip(raised, 200)
    elseif body then
      lines[2] = "it says: " .. body
    end
    if status == 502 or status == 503 or status == 504 then
      lines[#lines + 1] = "a proxy or the server says that what is behind it does not answer: look there"
    end
  end
  return lines, ("%d %s %s"):format(status, origin(request.url), words or path_of(request.url))
end

local function refused_input(facts)
  local span, status, response, request = answered(facts, 400, 499)
  if not span then return nil end
  local words = said(response.body)
  if not words then return nil end
  return { ("%s refused what was sent (%d): %s"):format(service_of(facts, request.url), status, words) },
    ("%d %s %s %s"):format(status, request.method, path_of(request.url), words)
end

-- What the server was doing while the client waited.
local function meanwhile(facts, method_and_url)
  for span in facts:back "^server$" do
    local waiting = span.outcome == "no answer" or span.outcome:find "the client has left"
    if span.detail == method_and_url and waiting then
      return "the test's own server has the request, and its handler had not answered yet"
    end
  end
  local url = method_and_url:match "%S+$"
  local service = url and facts:service_at(cause.address(url))
  if not service then return nil end
  if service.state ~= "ready" then return ("service %s: %s"):format(service.name, cause.state_of(service)) end
  local words = facts:last_words(service.name)
  if words then return ("service %s said last: %s"):format(service.name, words) end
  return ("service %s runs, and printed nothing in that time: is it stopped (paused), or does it wait for something itself?")
    :format(service.name)
end

local function no_answer(facts)
  if facts.kind ~= "timeout" or facts.code ~= "TIMEOUT" and facts.code ~= "CONNECT_TIMEOUT" then return nil end
  local span = facts:back "^http%."()
  if not span then return nil end
  local url = span.detail:match "%S+$" or ""
  local key = "no answer " .. origin(url)
  if facts.code == "CONNECT_TIMEOUT" then
    return { ("nobody at %s takes the connection: a wrong address, a firewall, or a server too busy to "
      .. "accept"):format(origin(url)),
      meanwhile(facts, span.detail) }, key
  end
  return { ("%s took the request and sent no answer for %s"):format(service_of(facts, url), text.duration(span.seconds)),
    meanwhile(facts, span.detail) }, key
end

local function not_json(facts)
  if facts.kind ~= "json" or not facts.asked then return nil end
  local response, request = facts.asked.data.response, facts.asked.data.request
  if not response then return nil end
  local kind = tostring((response.headers or {})["content-type"] or "none")
  if kind:find "json" then return nil end
  local body = text.clip(text.one_line(tostring(response.body or "")), 60)
  return { ("the answer to %s %s is no JSON: content type %s, status %s, %s"):format(request.method,
    path_of(request.url), kind,
    tostring(response.status), body == "" and "no body" or "beginning with " .. body) }, "no json " .. request.url
end

return { unauthorized, forbidden, no_route, server_failed, no_answer, not_json, refused_input }
