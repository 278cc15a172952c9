--- Errors as clients see them: problem details (RFC 9457) with a stable code. Raising one ends the request.

local titles = {
  [400] = "Bad Request", [401] = "Unauthorized", [402] = "Payment Required", [403] = "Forbidden", [404] = "Not Found",
  [409] = "Conflict", [412] = "Precondition Failed", [422] = "Unprocessable Content", [428] = "Precondition Required",
  [429] = "Too Many Requests", [502] = "Bad Gateway", [503] = "Service Unavailable", [504] = "Gateway Timeout",
}

--- The response of a problem. `more` are further fields of its JSON, `headers` further headers.
local function response(status, code, detail, more, headers)
  local body = { title = titles[status], status = status, code = code, detail = detail }
  for name, value in pairs(more or {}) do body[name] = value end
  local all = { ["content-type"] = "application/problem+json" }
  for name, value in pairs(headers or {}) do all[name] = value end
  return { status = status, json = body, headers = all }
end

local function raise(...)
  error(response(...), 0)
end

return { response = response, raise = raise }
