--- What a process prints, as a capture: it reads beside read_line, expect and output, which miss nothing by it.

local base = require "itlua.capture"
local core = require "itlua.core"
local lines = require "itlua.capture.lines"
local show = require "itlua.show"

local capture = {}

local STREAMS <const> = { "stdout", "stderr" }

-- Reads one stream, a list of lines at a time.
local function reader(source, stream)
  local split, position, ended = lines.splitter(stream), source.follow(stream), false
  return function()
    while not ended do
      local piece, gap
      piece, position, gap = source.follow(stream, position)
      if gap > 0 then
        core.raise("process", "LOST", ("%d bytes of %s of %s were gone before they could be read (option max_output)")
          :format(gap, stream, source.name))
      end
      source.bytes[stream] = position
      ended = piece == nil
      local list = split(piece)
      if list[1] then return list end
    end
  end
end

-- "process '/usr/bin/env node server.js' (pid 17)": "env node server.js".
local function short(label)
  local words = {}
  for word in (label:match "'(.*)'" or label):gmatch "%S+" do words[#words + 1] = word:match "([^/]+)/*$" or word end
  local text = table.concat(words, " ")
  return #text > 28 and show.cut(text, 27) .. "…" or text
end

--- Captures the lines that a process prints from now on.
---@param follow fun(stream: string, position?: integer): string?, integer, integer     see l_follow of process.c
---@param label string
---@param options? itlua.process.CaptureOptions
---@return itlua.capture
function capture.open(follow, label, options)
  local wanted = options and options.stream
  local source = { what = "process", name = short(label), follow = follow, bytes = {} }
  function source:progress()
    local list = {}
    for _, stream in ipairs(STREAMS) do
      if self.bytes[stream] then list[#list + 1] = ("%s: %d bytes"):format(stream, self.bytes[stream]) end
    end
    return list
  end
  source.readers = {}
  for _, stream in ipairs(STREAMS) do
    if wanted == nil or wanted == stream then source.readers[#source.readers + 1] = reader(source, stream) end
  end
  if #source.readers == 0 then core.usage "process:capture: stream is \"stdout\" or \"stderr\"" end
  return base.new(source, options)
end

return capture
