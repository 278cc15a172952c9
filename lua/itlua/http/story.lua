--- What a report tells of a request: both sides of it, as plain data. Loaded with the first failure.

local curl = require "itlua.http.curl"
local mask = require "itlua.mask"

local story = {}

local function add(headers, name, value)
  value = mask.header(name, value)
  headers[name] = headers[name] and headers[name] .. ", " .. value or value
end

local of_lines = setmetatable({}, { __mode = "k" }) -- by list: requests of a client mostly share one

-- "Name: value" lines as the client sends them.
local function headers_of(lines)
  if not lines then return {} end
  local headers = of_lines[lines]
  if headers then return headers end
  headers = {}
  for _, line in ipairs(lines) do
    local name, value = line:match "^([^:;]+)[:;]%s*(.*)$"
    if name and value ~= "" then add(headers, name, value) end
  end
  of_lines[lines] = headers
  return headers
end

local function body_of(plan)
  if not plan then return nil end
  if plan.body then return plan.body end
  if plan.upload then return "[streamed]" end
  if not plan.parts then return nil end
  local names = {}
  for i, part in ipairs(plan.parts) do names[i] = part.name or part.filename or "?" end
  return "[multipart: " .. table.concat(names, ", ") .. "]"
end

local HEAD <const> = ("ddddd"):packsize() + 1 -- where the head begins in what the binding keeps, see response.lua

local function response_of(result)
  if not result then return nil end
  local headers = {}
  local reason, from = result._raw:match("^HTTP/%S+ %d+ ?([^\r\n]*)\r?\n()", HEAD)
  for name, value in result._raw:gmatch("([^:\r\n]+):[ \t]*([^\r\n]*)", from or HEAD) do add(headers, name:lower(), value) end
  return {
    status = result.status, reason = reason ~= "" and reason or nil, headers = headers, body = result.body,
    size = result.size or #(result.body or ""),
  }
end

-- What a bearer token says of itself; nothing that would let somebody in.
local function token_of(lines)
  for _, line in ipairs(lines or {}) do
    local text = line:match "^[Aa]uthorization:%s*[Bb]earer%s+(%S+)"
    local ok, decoded = pcall(function() return text and require("itlua.jwt").decode(text) end)
    local claims = ok and decoded and (decoded.claims or decoded.payload)
    if type(claims) == "table" then
      local alg = decoded.header and decoded.header.alg
      return { exp = claims.exp, nbf = claims.nbf, iss = claims.iss, aud = claims.aud, alg = alg }
    end
  end
end

--- Of the frame of a request: client, method, URL, plan, box, jar; and its response.
---@param kept table
---@param brief? boolean     without the curl command and what a token says of itself
---@return { request: table, response?: table, curl?: string }
function story.of(kept, brief)
  local client, method, url, plan = kept[1], kept[2], kept[3], kept[4]
  local s = client._settings
  local headers = headers_of(plan and plan.headers or s.headers)
  if (plan and plan.user) or s.user then
    local all = { Authorization = "***" }
    for name, value in pairs(headers) do all[name] = value end
    headers = all
  end
  local token, ok, command
  if not brief then
    token = token_of(plan and plan.headers or s.headers)
    ok, command = pcall(curl.shown, client, method, url, plan, kept[6])
  end
  return {
    request = { method = method, url = url, headers = headers, body = body_of(plan), token = token },
    response = response_of(kept.result), curl = ok and command or nil,
  }
end

return story
