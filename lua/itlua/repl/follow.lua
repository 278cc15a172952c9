--- Captures of the session: what they catch appears as it comes, unless it is too much of it.

local core = require "itlua.core"
local show = require "itlua.show"
local text = require "itlua.report.text"

local follow = {}

local AT_ONCE, PAUSE = 20, 0.5 -- records shown of a burst; seconds without any that end it

local function line_of(talk, record, capture)
  local p, where = talk.view.paint, capture.name
  if record.partition then where = ("%s/%s@%s"):format(record.topic or where, record.partition, record.offset or "?")
  elseif record.channel and record.channel ~= where then where = record.channel end
  local key = record.key and ("  %s"):format(show.value(record.key, 40)) or ""
  local room = math.max(20, talk:size() - text.width(where) - text.width(key) - 5)
  local value = record.value
  local words = type(value) == "string" and text.clip(text.one_line(value), room) or show.value(value, room)
  return talk.view.hide(p("dim", "┆ ") .. p("cyan", where) .. p("dim", key) .. "  " .. words)
end

--- Shows records of all captures from now on.
---@param talk itlua.repl.Talk
function follow.start(talk)
  local shown, hidden, last = 0, 0, 0
  local function summary()
    if hidden > 0 then talk:say(talk.view.paint("dim", ("┆ … %d more"):format(hidden))) end
    shown, hidden = 0, 0
  end
  require("itlua.capture").on_record(function(record, capture)
    local now = core.now()
    if now - last > PAUSE then summary() end
    last = now
    if shown < AT_ONCE then
      shown = shown + 1
      return talk:say(line_of(talk, record, capture))
    end
    hidden = hidden + 1
    if hidden > 1 then return end
    core.daemon(function() -- says how many it were, once they stop coming
      repeat core.sleep(PAUSE) until core.now() - last >= PAUSE
      summary()
    end)
  end)
end

return follow
