--- Captures: lines of a log. A line that is a JSON object is decoded: value is that, line the text.

local capture = require "itlua.capture"

local lines = {}

--- A record of a line.
---@param text string
---@param stream? string     "stdout" or "stderr", where it is known
---@return itlua.capture.Record
function lines.record(text, stream)
  return { line = text, stream = stream, value = text:find "^%s*{" and capture.decode(text) or text }
end

--- A function that makes lines of pieces: records of those that are complete. nil: the end, an unfinished line counts.
---@param stream string
---@return fun(piece: string?): itlua.capture.Record[]
function lines.splitter(stream)
  local rest = ""
  return function(piece)
    local list, from = {}, 1
    local text = rest .. (piece or "")
    for line, after in text:gmatch "([^\n]*)\n()" do
      list[#list + 1] = lines.record((line:gsub("\r$", "")), stream)
      from = after
    end
    rest = text:sub(from)
    if not piece and rest ~= "" then list[#list + 1] = lines.record(rest, stream) end
    return list
  end
end

return lines
