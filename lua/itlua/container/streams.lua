--- What the engine streams: logs and output of commands, in frames where there is no terminal; lines of JSON.

local json = require "itlua.json"

local streams = {}

local NAMES = { [0] = "stdout", "stdout", "stderr" }

--- The frames of a response as an iterator of (bytes, "stdout"|"stderr"). With a terminal there are no frames: all is
--- stdout.
---@param chunks fun(): string?
---@param tty boolean
---@return fun(): string?, string?
function streams.frames(chunks, tty)
  if tty then return function() return chunks(), "stdout" end end
  local rest = ""
  return function()
    while true do
      if #rest >= 8 then
        local kind, size = string.unpack(">Bxxx I4", rest)
        if #rest >= 8 + size then
          local payload = rest:sub(9, 8 + size)
          rest = rest:sub(9 + size)
          return payload, NAMES[kind] or "stdout"
        end
      end
      local pieces, size = { rest }, #rest
      local wanted = size >= 8 and 8 + string.unpack(">I4", rest, 5) or 8
      while size < wanted do
        local piece = chunks()
        if not piece then return nil end
        pieces[#pieces + 1] = piece
        size = size + #piece
      end
      rest = table.concat(pieces)
    end
  end
end

--- The lines in frames as an iterator of (line, "stdout"|"stderr"), without their ends. A line may come in several
--- frames; a last one without an end is a line too.
---@param frames fun(): string?, string?
---@return fun(): string?, string?
function streams.lines(frames)
  local rest, ready, first, ended = { stdout = "", stderr = "" }, {}, 1, false
  return function()
    while true do
      local line = ready[first]
      if line then
        ready[first] = nil
        first = first + 1
        return line[1], line[2]
      end
      if ended then return nil end
      ready, first = {}, 1
      local payload, name = frames()
      if payload then
        local text, from = rest[name] .. payload, 1
        for piece, after in text:gmatch "([^\n]*)\n()" do
          ready[#ready + 1] = { (piece:gsub("\r$", "")), name }
          from = after
        end
        rest[name] = text:sub(from)
      else
        ended = true
        for _, last in ipairs { "stdout", "stderr" } do
          if rest[last] ~= "" then ready[#ready + 1] = { rest[last], last } end
        end
      end
    end
  end
end

--- The documents of a response that streams JSON, one a line.
---@param lines fun(): string?
---@return fun(): table?
function streams.documents(lines)
  return function()
    for line in lines do
      if line:find "%S" then
        local ok, value = pcall(json.decode, line, { name = "progress of the engine" })
        if ok and type(value) == "table" then return value end
      end
    end
  end
end

return streams
