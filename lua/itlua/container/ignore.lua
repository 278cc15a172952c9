--- .dockerignore: which files of a context the builder does not get.

local ignore = {}

-- A pattern as the builder reads it: * and ? stay within a name, ** is any number of folders, [a-z] a class.
local function to_lua(pattern)
  local out, i = {}, 1
  while i <= #pattern do
    local c = pattern:sub(i, i)
    if c == "*" and pattern:sub(i, i + 1) == "**" then
      local rest = pattern:sub(i + 2)
      if rest:find "^/" then
        out[#out + 1] = "\0" -- any folders, or none
        i = i + 3
      else
        out[#out + 1] = ".*"
        i = i + 2
      end
    else
      if c == "*" then out[#out + 1] = "[^/]*"
      elseif c == "?" then out[#out + 1] = "[^/]"
      elseif c == "[" then
        local class = pattern:match("^%[%^?[^%]]+%]", i)
        if class then
          out[#out + 1] = (class:gsub("%%", "%%%%"))
          i = i + #class - 1
        else
          out[#out + 1] = "%["
        end
      elseif c == "\\" and i < #pattern then
        i = i + 1
        out[#out + 1] = "%" .. pattern:sub(i, i)
      else
        out[#out + 1] = c:gsub("[^%w%s/_]", "%%%0")
      end
      i = i + 1
    end
  end
  return table.concat(out)
end

-- Lua has no alternatives: a pattern with "any folders, or none" stands for two.
local function expand(pattern)
  local at = pattern:find("\0", 1, true)
  if not at then return { "^" .. pattern .. "$" } end
  local list = {}
  for _, middle in ipairs { "", ".*/" } do
    for _, one in ipairs(expand(pattern:sub(1, at - 1) .. middle .. pattern:sub(at + 1))) do list[#list + 1] = one end
  end
  return list
end

-- A path is matched by a rule that matches it or a folder it is in.
local function matches(patterns, path)
  local at = path
  while at do
    for _, pattern in ipairs(patterns) do
      if at:find(pattern) then return true end
    end
    at = at:match "^(.*)/[^/]*$"
  end
  return false
end

--- The rules of a .dockerignore as a function: whether a path of the context is left out. The last rule that matches
--- decides; one with ! takes back.
---@param text string
---@return fun(path: string): boolean
function ignore.parse(text)
  local rules = {}
  for line in text:gsub("^\239\187\191", ""):gmatch "[^\r\n]+" do
    local rule = line:match "^%s*(.-)%s*$"
    if rule ~= "" and not line:find "^#" then
      local back = rule:find "^!" ~= nil
      rule = (back and rule:sub(2):match "^%s*(.*)$" or rule):gsub("/+", "/"):gsub("^%./", ""):gsub("^/", "")
        :gsub("/$", "")
      if rule ~= "" and rule ~= "." then rules[#rules + 1] = { back = back, patterns = expand(to_lua(rule)) } end
    end
  end
  return function(path)
    local out = false
    for _, rule in ipairs(rules) do
      if out == rule.back and matches(rule.patterns, path) then out = not rule.back end
    end
    return out
  end
end

return ignore
