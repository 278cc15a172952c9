--- YAML to values (YAML 1.2's core schema: "yes" is a string). null is itlua.null; mappings and sequences are tables.
--- Errors have kind "yaml", with `line` and `column`.

local native = require "itlua.yaml.core"

local yaml = { version = native.version }

--- The one document of the text; itlua.null when it is empty.
---@param text string
---@return any
function yaml.decode(text)
  local documents = native.decode(text)
  if documents[1] == nil then return require "itlua.null" end
  return documents[1]
end

--- All documents of the text.
---@param text string
---@return any[]
function yaml.decode_all(text)
  return native.decode(text)
end

return yaml
