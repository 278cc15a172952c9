--- GraphQL over HTTP. An answer with errors is an answer: r.errors has them; r:data() raises where there are any.

local core = require "itlua.core"
local options = require "itlua.http.options"

local graphql = {}

---@class itlua.http.GraphqlOptions: itlua.http.RequestOptions
---@field query string               the document
---@field variables? table
---@field operation? string          which operation of the document
---@field path? string               below base_url, "/graphql"
---@field url? string                instead of path

---@class itlua.http.GraphqlResponse: itlua.http.Response
---@field errors table[]?            of the answer; nil where there are none
local OWN = { query = "string", variables = "table", operation = "string", path = "string", url = "string" }

local KNOWN = options.with(options.of_request, OWN)

local function messages(errors)
  local list = {}
  for i, e in ipairs(errors) do
    local path = {}
    for j, step in ipairs(type(e.path) == "table" and e.path or {}) do path[j] = tostring(step) end
    list[i] = tostring(e.message) .. (#path > 0 and (" (at %s)"):format(table.concat(path, ".")) or "")
  end
  return table.concat(list, "; ")
end

-- The `data` of the answer; raises kind "http" with the first error's extensions.code, or "GRAPHQL", where it has
-- errors.
local function data(self)
  local answer = self:json()
  if type(answer) ~= "table" then
    core.raise("http", "GRAPHQL", ("%s: the answer is no GraphQL response but %s"):format(self.url, type(answer)))
  end
  if self.errors then
    local extensions = type(self.errors[1].extensions) == "table" and self.errors[1].extensions or {}
    core.raise("http", type(extensions.code) == "string" and extensions.code or "GRAPHQL",
      ("%s: %s"):format(self.url, messages(self.errors)), { errors = self.errors, response = self })
  end
  return answer.data
end

--- Sends a GraphQL request.
---@param client itlua.http.Client
---@param given itlua.http.GraphqlOptions
---@return itlua.http.GraphqlResponse
function graphql.request(client, given)
  options.check(given, KNOWN, "graphql")
  if not given.query then core.usage("graphql needs a query") end
  local plain = {}
  for k, v in pairs(given) do
    if not OWN[k] then plain[k] = v end
  end
  plain.json = { query = given.query, variables = given.variables, operationName = given.operation }
  local r = client:post(given.url or given.path or "/graphql", plain)
  local ok, answer = pcall(r.json, r)
  local errors = ok and type(answer) == "table" and answer.errors
  if type(errors) == "table" and #errors > 0 then r.errors = errors end
  r.data = data
  return r
end

return graphql
