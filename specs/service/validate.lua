--- What a request's body has to look like. A rule is a function: value -> problem or nil, and it may look inside.
--
--   local new_order = validate.object { items = validate.list(item, { min = 1 }), note = validate.optional(text) }
--   local order = validate.body(req, new_order)      -- answers 422 with every problem, not just the first

local json = require "itlua.json"
local problem = require "problem"

local validate = {}

--- A whole number.
function validate.integer(limits)
  return function(value, path, report)
    if math.type(value) ~= "integer" then report(path, "must be a whole number")
    elseif value < limits.min then report(path, "must be at least " .. limits.min)
    elseif value > limits.max then report(path, "must be at most " .. limits.max) end
  end
end

--- A text of at most `max` bytes, not empty.
function validate.text(max)
  return function(value, path, report)
    if type(value) ~= "string" then report(path, "must be a text")
    elseif value == "" then report(path, "must not be empty")
    elseif #value > max then report(path, ("must have at most %d characters"):format(max)) end
  end
end

function validate.boolean(value, path, report)
  if type(value) ~= "boolean" then report(path, "must be true or false") end
end

--- May be missing or null.
function validate.optional(rule)
  return setmetatable({ optional = true }, { __call = function(_, value, path, report)
    if value ~= nil and value ~= json.null then rule(value, path, report) end
  end })
end

--- A list of `limits.min` to `limits.max` elements.
function validate.list(rule, limits)
  return function(value, path, report)
    if type(value) ~= "table" or not json.is_array(value) then
      return report(path, "must be a list")
    end
    if #value < limits.min then report(path, ("must have at least %d elements"):format(limits.min)) end
    if #value > limits.max then report(path, ("must have at most %d elements"):format(limits.max)) end
    for i, element in ipairs(value) do rule(element, ("%s[%d]"):format(path, i - 1), report) end
  end
end

--- An object with these fields and no others.
function validate.object(rules)
  return function(value, path, report)
    if type(value) ~= "table" or json.is_array(value) then return report(path, "must be an object") end
    local prefix = path == "" and "" or path .. "."
    for name in pairs(value) do
      if not rules[name] then report(prefix .. name, "is not known") end
    end
    for name, rule in pairs(rules) do
      local optional = type(rule) == "table" and rule.optional
      if value[name] == nil and not optional then report(prefix .. name, "is missing")
      else rule(value[name], prefix .. name, report) end
    end
  end
end

--- The request's JSON, if it keeps the rule.
function validate.body(req, rule)
  local value, errors = req:json(), {}
  rule(value, "", function(field, text) errors[#errors + 1] = { field = field, problem = text } end)
  if #errors == 0 then return value end
  table.sort(errors, function(a, b) return a.field < b.field end)
  return problem.raise(422, "invalid", "The request is not valid.", { errors = errors })
end

return validate
