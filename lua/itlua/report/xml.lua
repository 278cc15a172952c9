--- XML 1.0 text for any bytes: what XML cannot hold is written visibly (␀, \xFF), never dropped, never invalid.

local text = require "itlua.report.text"

local xml = {}

local entities = {
  ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["\n"] = "&#10;", ["\t"] = "&#9;",
}

local function valid(s)
  s = text.visible(s)
  if s:find("\xEF\xBF[\xBE\xBF]") then
    s = s:gsub("\xEF\xBF\xBE", "\\uFFFE"):gsub("\xEF\xBF\xBF", "\\uFFFF")
  end
  return s
end

--- For between tags.
---@param s string
---@return string
function xml.text(s)
  if not s:find "[\0-\8\11-\31\127-\255&<>]" then return s end
  return (valid(s):gsub("[&<>]", entities))
end

--- For between the quotes of an attribute; newlines and tabs survive.
---@param s string
---@return string
function xml.attribute(s)
  if not s:find '[%c\127-\255&<>"]' then return s end
  return (valid(s):gsub('[&<>"\n\t]', entities))
end

--- A start tag's attributes from a list {name, value, name, value, …}; nil values are left out.
---@param list table     with n, the number of entries
---@return string
function xml.attributes(list)
  local parts, n = {}, 0
  for i = 1, list.n or #list, 2 do
    local value = list[i + 1]
    if value ~= nil then
      n = n + 1
      parts[n] = " " .. list[i] .. '="' .. xml.attribute(tostring(value)) .. '"'
    end
  end
  return table.concat(parts)
end

return xml
