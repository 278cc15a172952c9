--- `jsonl`: the events themselves, one JSON object a line, as they come. `itlua report FILE…` reads them again.

local json_text = require "itlua.report.json_text"

local jsonl = {}

local order = { "ev", "file", "id", "block", "parent", "kind", "status", "name" }

local Reporter = {}
Reporter.__index = Reporter

function Reporter:event(ev)
  self.out(json_text.encode(ev, order) .. "\n")
end

---@param out fun(text: string)
function jsonl.new(_, out)
  return setmetatable({ out = out }, Reporter)
end

return jsonl
