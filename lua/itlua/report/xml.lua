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
  return (valid(s):gsub("[&<>]", entities))
end

--- For between the quotes of an attribute; newlines and tabs survive.
---@param s string
---@return string
function xml.attribute(s)
  return (valid(s):gsub('[&<>"\n\t]', entities))
end

--- A start tag's attributes from a list {name, value, name, value, …}; nil values are left out.
---@param list table     with n, the number of entries
---@return string
function xml.attributes(list)
  local parts = {}
  for i = 1, list.n or #list, 2 do
    if list[i + 1] ~= nil then
      parts[#parts + 1] = (' %s="%s"'):format(list[i], xml.attribute(tostring(list[i + 1])))
    end
  end
  return table.concat(parts)
end

return xml
