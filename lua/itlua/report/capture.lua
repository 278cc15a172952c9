--- Keeps what a test printed within bounds: the beginning and the end, and how much is missing between.

local capture = {}

local head_size, tail_size = 64 * 1024, 192 * 1024

local Capture = {}
Capture.__index = Capture

function capture.new()
  return setmetatable({ head = {}, head_bytes = 0, tail = {}, tail_bytes = 0, first = 1, dropped = 0 }, Capture)
end

---@param text string
function Capture:add(text)
  if self.head_bytes < head_size then
    local part = text:sub(1, head_size - self.head_bytes)
    self.head[#self.head + 1] = part
    self.head_bytes = self.head_bytes + #part
    text = text:sub(#part + 1)
  end
  if text == "" then return end
  self.tail[#self.tail + 1] = text
  self.tail_bytes = self.tail_bytes + #text
  -- One compaction per tail_size bytes, so that many small writes stay cheap.
  if self.tail_bytes > 2 * tail_size then
    local whole = table.concat(self.tail)
    self.dropped = self.dropped + #whole - tail_size
    self.tail, self.tail_bytes = { whole:sub(-tail_size) }, tail_size
  end
end

--- What is kept, with a line in the middle where something is missing.
---@return string
function Capture:text()
  local head, tail = table.concat(self.head), table.concat(self.tail)
  if self.dropped == 0 then return head .. tail end
  return ("%s\n[%d bytes left out]\n%s"):format(head, self.dropped, tail)
end

---@return boolean
function Capture:empty() return self.head_bytes == 0 end

return capture
