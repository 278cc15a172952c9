--- An assertion of this project's own: the answer is a problem (RFC 9457) with this status and code.
--
--   assert.problem(r, 409, "out_of_stock")

local assert = require "luassert"
local say = require "say"

local function is_problem(_, arguments)
  local r, status, code = arguments[1], arguments[2], arguments[3]
  if r.status ~= status or r.content_type ~= "application/problem+json" then return false end
  local body = r:json()
  return body.status == status and body.code == code and type(body.title) == "string" and type(body.detail) == "string"
end

local function problem(state, arguments)
  local ok = is_problem(state, arguments)
  if ok ~= state.mod then arguments[1] = ("%s\n%s"):format(arguments[1], arguments[1].body) end -- what a failure shows
  return ok
end

say:set("assertion.problem.positive", "Expected %s\nto be a problem with status %s and code %s")
say:set("assertion.problem.negative", "Expected %s\nnot to be a problem with status %s and code %s")
assert:register("assertion", "problem", problem, "assertion.problem.positive", "assertion.problem.negative")
