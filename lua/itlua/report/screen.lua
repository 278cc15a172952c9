--- A region at the bottom of a terminal that is drawn again and again, below lines that stay. Everything that changes goes out
-- in one write, in a synchronised update (mode 2026, which terminals that do not know it ignore), so that nothing flickers.
--
-- No line of the region is as wide as the terminal, so none wraps when it is drawn. When the terminal has become narrower
-- since, it has wrapped them itself: the region then takes more rows, which are counted before it is erased.

local text = require "itlua.report.text"

local screen = {}

local BEGIN, END = "\27[?2026h", "\27[?2026l"

---@class itlua.report.screen
---@field out fun(text: string)
---@field size fun(): integer?, integer?     columns and rows of the terminal now
---@field compose fun(columns: integer, rows: integer): string[]   the region's lines, each narrower than the terminal
local Screen = {}
Screen.__index = Screen

---@param out fun(text: string)
---@param size fun(): integer?, integer?
---@param compose fun(columns: integer, rows: integer): string[]
---@return itlua.report.screen
function screen.new(out, size, compose)
  return setmetatable({ out = out, size = size, compose = compose, drawn = {}, widths = {} }, Screen)
end

-- What moves to the region's first row and erases from there.
local function erasing(self, columns)
  local rows = 0
  for _, width in ipairs(self.widths) do rows = rows + math.max(1, (width + columns - 1) // columns) end
  self.drawn, self.widths = {}, {}
  if rows == 0 then return "" end
  return (rows > 1 and ("\r\27[%dA"):format(rows - 1) or "\r") .. "\27[J"
end

-- The cursor stays at the end of the last line.
local function drawing(self, lines)
  for i, line in ipairs(lines) do self.widths[i] = text.width(line) end
  self.drawn = lines
  return table.concat(lines, "\n")
end

--- Lines that stay, above the region. They end with a newline.
---@param s string
function Screen:print(s)
  if not self.drawn[1] then return self.out(s) end
  local columns, rows = self.size()
  columns, rows = columns or 80, rows or 24
  -- Composed before anything is written: it may be told of what is printed here.
  local lines = self.compose(columns, rows)
  self.out(BEGIN .. erasing(self, columns) .. s .. drawing(self, lines) .. END)
end

--- Draws the region. Nothing is written where it is as it was.
function Screen:draw()
  local columns, rows = self.size()
  if not columns then return end
  local lines = self.compose(columns, rows or 24)
  local same = columns == self.columns and #lines == #self.drawn
  for i = 1, same and #lines or 0 do same = same and lines[i] == self.drawn[i] end
  self.columns = columns
  if not same then self.out(BEGIN .. erasing(self, columns) .. drawing(self, lines) .. END) end
end

--- Takes the region away.
function Screen:clear()
  if self.drawn[1] then self.out(erasing(self, self.size() or 80)) end
end

return screen
