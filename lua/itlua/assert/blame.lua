--- Errors of wrong use, blamed on the line that used an assertion wrongly.

local blame = {}

-- Frames that are not the user's: C, tail calls, luassert and this program.
local function not_the_users(info)
  local source = info.short_src
  return info.what == "C" or info.source == "(tail call)" or source:find "^itlua:" or source:find "^luassert"
    or source:find "luassert[/\\].*%.lua$" or source:find "lua[/\\]itlua[/\\].*%.lua$"
end

--- Raises a plain error with the position of the innermost frame that is the user's.
---@param text string
function blame.usage(text)
  local level = 2
  while true do
    local info = debug.getinfo(level, "Sl")
    if not info then error(text, 0) end
    if not not_the_users(info) then error(text, level) end
    level = level + 1
  end
end

return blame
