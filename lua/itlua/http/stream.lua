--- Requests whose body is fed or whose answer is read piece by piece, over the binding's streams.

local core = require "itlua.http.core"

local stream = {}

-- Writes what the source yields until it ends, or the server wants no more.
local function feed(s, source, timeout)
  for piece in source do
    if type(piece) ~= "string" then
      require "itlua.core".usage(("a streamed body yields strings, not a %s"):format(type(piece)))
    end
    if piece ~= "" and not s:write(piece, timeout) then return end
  end
end

local function head(s, plan, timeout)
  if plan.feed then feed(s, plan.feed(), timeout) end
  s:finish()
  return s:head(timeout)
end

local function gather(s)
  local pieces, piece = {}, s:read()
  while piece do
    pieces[#pieces + 1] = piece
    piece = s:read()
  end
  return table.concat(pieces)
end

--- Sends the request and returns its response: with `streamed`, as soon as the head is there.
---@param client table
---@param method string
---@param url string
---@param plan table
---@param streamed boolean?
---@param timeout number   seconds, of each wait of a streamed response
---@return itlua.http.Response
function stream.send(client, method, url, plan, streamed, timeout)
  local s = core.stream(client._core, method, url, plan)
  if streamed then
    local ok, r = pcall(head, s, plan, timeout)
    if not ok then
      s:close()
      error(r, 0)
    end
    r._stream, r._timeout = s, timeout
    return r
  end
  local closing <close> = s -- luacheck: ignore
  local r = head(s, plan)
  r.body = gather(s)
  return r
end

return stream
