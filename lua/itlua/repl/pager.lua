--- Long output a screenful at a time.

local pager = {}

local HELP = "space a page · Enter a line · G all · q enough"

-- How many rows of the screen a line takes.
local function height(line, columns)
  local width = require("itlua.report.text").width(line)
  return math.max(1, (width + columns - 1) // columns)
end

--- Shows the lines until the user has enough.
---@param talk itlua.repl.Talk
---@param lines string[]
---@param columns integer
---@param rows integer
function pager.show(talk, lines, columns, rows)
  local at, room = 1, rows - 1
  while at <= #lines do
    local page = {}
    while at <= #lines and room > 0 do
      room = room - height(lines[at], columns)
      page[#page + 1] = lines[at]
      at = at + 1
    end
    talk:say(table.concat(page, "\n"))
    if at > #lines then return end
    local prompt = ("-- %d of %d lines · %s --"):format(at - 1, #lines, HELP)
    if #prompt > columns - 1 then prompt = ("-- %d/%d --"):format(at - 1, #lines) end
    local key = talk.reader:key(talk.view.paint("reverse", prompt))
    talk.reader:print("\r\27[K")
    if key == " " or key == "f" or key == "\4" then room = rows - 1
    elseif key == "\n" or key == "\r" or key == "j" then room = 1
    elseif key == "G" then room = math.huge
    elseif key == nil or key == "q" or key == "Q" or key == "\3" then
      return talk:say(talk.view.paint("dim", ("… %d more lines"):format(#lines - at + 1)))
    end
  end
end

return pager
