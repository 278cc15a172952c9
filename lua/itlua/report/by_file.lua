--- Files that run at the same time take turns in the events of a run. What must have those of a file together, such as a
-- busted handler or a document with a part a file, gets them here when the file has ended; the others get them as they come
-- (their module has `interleaved`). Where files run one after the other nothing waits.

---@class itlua.report.by_file
---@field tell fun(ev: table)
---@field waiting table<string, table[]>    by file: its events so far
---@field order string[]                    the files, as they began
---@field one boolean                       one file at a time
local ByFile = {}
ByFile.__index = ByFile

---@param tell fun(ev: table)
---@return itlua.report.by_file
local function new(tell) return setmetatable({ tell = tell, waiting = {}, order = {}, one = false }, ByFile) end

local function release(self, file)
  local events = self.waiting[file]
  if not events then return end
  self.waiting[file] = nil
  for i, name in ipairs(self.order) do
    if name == file then table.remove(self.order, i) break end
  end
  for _, ev in ipairs(events) do self.tell(ev) end
end

--- Nothing more comes of the files that have not ended.
function ByFile:release()
  while self.order[1] do release(self, self.order[1]) end
end

---@param ev table
function ByFile:event(ev)
  local kind, file = ev.ev, ev.file
  if kind == "run_start" then
    self:release()
    self.one = ev.jobs == 1 and ev.concurrency == 1
  elseif kind == "run_end" then
    self:release()
  elseif kind == "file_start" and not self.one then
    release(self, file)
    self.waiting[file] = {}
    self.order[#self.order + 1] = file
  end
  local events = file and self.waiting[file]
  if not events then return self.tell(ev) end
  events[#events + 1] = ev
  if kind == "file_end" then release(self, file) end
end

return { new = new }
