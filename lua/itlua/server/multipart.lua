--- multipart/form-data bodies.

local core = require "itlua.core"
local text = require "itlua.server.text"

local multipart = {}

---@class itlua.server.part
---@field name string
---@field filename string? of a file
---@field type string its content type; "text/plain" where not given
---@field headers table<string, string> names in lower case
---@field body string

local function malformed(why)
  core.raise("http", "MALFORMED", "the multipart body is malformed: " .. why)
end

local function headers_of(block)
  local headers = {}
  for line in (block .. "\r\n"):gmatch("(.-)\r\n") do
    local name, value = line:match("^([^:%s]+):%s*(.-)%s*$")
    if not name then malformed("a part has a header without a colon") end
    headers[name:lower()] = value
  end
  return headers
end

local function part_of(chunk)
  local head, body
  if chunk:sub(1, 2) == "\r\n" then
    head, body = nil, chunk:sub(3)
  else
    local stop = chunk:find("\r\n\r\n", 1, true)
    if not stop then malformed("a part has no end of its headers") end
    head, body = chunk:sub(1, stop - 1), chunk:sub(stop + 4)
  end
  local headers = head and headers_of(head) or {}
  local _, disposition = text.parameters(headers["content-disposition"] or "")
  if not disposition.name then malformed("a part has no name") end
  return {
    name = disposition.name,
    filename = disposition.filename,
    type = headers["content-type"] or "text/plain",
    headers = headers,
    body = body,
  }
end

--- The parts of a body, in order. Raises http MALFORMED.
---@param body string
---@param boundary string
---@return itlua.server.part[]
function multipart.parse(body, boundary)
  local parts, delimiter = {}, "\r\n--" .. boundary
  body = "\r\n" .. body
  local _, stop = body:find(delimiter, 1, true)
  if not stop then malformed("its boundary does not occur") end
  while true do
    local after = body:sub(stop + 1, stop + 2)
    if after == "--" then return parts end
    local line_end = body:match("^[ \t]*\r\n()", stop + 1)
    if not line_end then malformed("a boundary is followed by something else than a line's end") end
    local start, next_stop = body:find(delimiter, line_end - 2, true)
    if not start then malformed("it ends in the middle of a part") end
    -- An empty part's delimiter begins with the line's end that the one before it ended with.
    parts[#parts + 1] = part_of(start < line_end and "" or body:sub(line_end, start - 1))
    stop = next_stop
  end
end

return multipart
