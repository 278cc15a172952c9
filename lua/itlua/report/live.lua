--- What a run is at, as a few lines for the bottom of a terminal: a bar with counts and times, services that start, a line a
-- worker with its running test. It is told of what happens as it happens (`glimpse`), for what runs, and of what is
-- delivered (`event`), which counts: a file whose worker died happens twice.

local text = require "itlua.report.text"

local live = {}

local WORKERS = 8 -- lines at most
local FIRST = 1 -- seconds before which nothing is estimated

---@class itlua.report.live
local Live = {}
Live.__index = Live

---@param opts { paint: fun(colour: string, text: any): string, expected?: fun(file: string): number?, files?: table[] }
---@return itlua.report.live
function live.new(opts)
  local self = setmetatable({ paint = opts.paint, expected = opts.expected or function() end, list = opts.files }, Live)
  self:begin {}
  return self
end

--- A run begins.
---@param ev table     run_start
function Live:begin(ev)
  self.began, self.files, self.jobs = ev.at, ev.files or 0, ev.jobs or 1
  self.total = nil
  self.done, self.passed, self.failures, self.pending, self.flaky = 0, 0, 0, 0, 0
  self.running, self.services = {}, {}
  self.seconds_done, self.known_done = 0, 0
end

local on = {}

function on.file_start(self, ev, worker)
  self.running[ev.file] = { file = ev.file, worker = worker or ev.worker or 0, began = ev.at }
end

function on.test_start(self, ev)
  local file = self.running[ev.file]
  if not file then return end
  file.test, file.waits = ev, nil
end

function on.waiting(self, ev)
  local file = self.running[ev.file]
  if file and file.test and file.test.id == ev.id then file.waits = ev end
end

function on.test_end(self, ev)
  local file = self.running[ev.file]
  if file then file.test = nil end
end

function on.file_end(self, ev) self.running[ev.file] = nil end
on.file_again = on.file_end

function on.service(self, ev)
  local list = self.services
  for i, entry in ipairs(list) do
    if entry.name == ev.name then table.remove(list, i) break end
  end
  if ev.state == "starting" then list[#list + 1] = ev end
end

local counted = {}

function counted.problem(self, ev)
  if ev.kind ~= "pending" and not ev.retried and not ev.id then self.failures = self.failures + 1 end
end

function counted.test_end(self, ev)
  if ev.retried then return end
  if ev.status == "success" then self.passed = self.passed + 1
  elseif ev.status == "pending" then self.pending = self.pending + 1
  else self.failures = self.failures + 1 end
  if ev.flaky then self.flaky = self.flaky + 1 end
end

function counted.file_end(self, ev)
  self.running[ev.file] = nil
  self.done = self.done + 1
  self.seconds_done = self.seconds_done + (self.expected(ev.file) or 0)
  if self.expected(ev.file) then self.known_done = self.known_done + 1 end
end

--- An event of the run is delivered.
---@param ev table
function Live:event(ev)
  local handler = counted[ev.ev]
  if handler then handler(self, ev) end
end

--- Something happens in a worker.
---@param ev table
---@param worker? integer
function Live:glimpse(ev, worker)
  local handler = on[ev.ev]
  if handler then handler(self, ev, worker) end
end

-- ---- lines

-- Pieces {text, colour} on one line of at most `width` columns; what does not fit is cut.
local function line_of(self, pieces, width)
  local parts, used, cut = {}, 0, false
  for _, piece in ipairs(pieces) do
    local room = width - used
    if room <= 0 then break end
    local shown = text.clip(piece[1], room)
    if shown == "…" and cut then break end
    if shown ~= "" then cut = shown:sub(-#"…") == "…" end
    used = shown == piece[1] and used + text.width(shown) or width -- behind a cut nothing follows
    parts[#parts + 1] = piece[2] and self.paint(piece[2], shown) or shown
  end
  return table.concat(parts)
end

local function clock(seconds)
  seconds = math.max(0, math.floor(seconds))
  if seconds >= 3600 then return ("%d:%02d:%02d"):format(seconds // 3600, seconds // 60 % 60, seconds % 60) end
  return ("%02d:%02d"):format(seconds // 60, seconds % 60)
end

-- How much of the run is over, from 0 to 1: by the times that files took in earlier runs, where those are known, else by files.
local function fraction(self, now)
  if self.files == 0 then return 1 end
  if self.list and not self.total then
    local sum, known = 0, 0
    for _, file in ipairs(self.list) do
      local seconds = self.expected(file.path)
      if seconds then sum, known = sum + seconds, known + 1 end
    end
    self.total = { seconds = sum, known = known }
  end
  local total = self.total
  if not total or total.known < self.files * 0.7 or total.seconds <= 0 then
    local part = 0
    for _ in pairs(self.running) do part = part + 0.3 end
    return math.min(0.99, (self.done + part) / self.files)
  end
  local done = self.seconds_done
  for path, file in pairs(self.running) do
    local seconds = self.expected(path)
    if seconds and file.began then done = done + math.min(seconds * 0.95, math.max(0, now - file.began)) end
  end
  return math.min(0.99, done / total.seconds)
end

local function bar(share, width)
  local full = math.floor(share * width + 0.5)
  return ("█"):rep(full), ("░"):rep(width - full)
end

local function estimate(self, share, elapsed)
  if elapsed < FIRST or share < 0.05 or self.done == self.files then return nil end
  local left = elapsed * (1 - share) / share
  if left < 1 then return "nearly done" end
  if left < 90 then return ("about %d s left"):format(math.ceil(left)) end
  return ("about %d min left"):format(math.ceil(left / 60))
end

local function progress(self, now, width)
  local elapsed = self.began and now - self.began or 0
  local share = fraction(self, now)
  local pieces = { { (" %d/%d files"):format(self.done, self.files) }, { "  ✓ " .. self.passed, "green" } }
  if width < 34 then pieces = { { (" %d/%d"):format(self.done, self.files) }, { " ✓" .. self.passed, "green" } } end
  local gap = width < 34 and " " or "  "
  if self.failures > 0 then pieces[#pieces + 1] = { ("%s✗ %d"):format(gap, self.failures), "red" } end
  if self.flaky > 0 then pieces[#pieces + 1] = { ("%s⚑ %d flaky"):format(gap, self.flaky), "yellow" } end
  if self.pending > 0 then pieces[#pieces + 1] = { ("%s◌ %d"):format(gap, self.pending), "yellow" } end
  pieces[#pieces + 1] = { gap .. clock(elapsed) }
  local left = estimate(self, share, elapsed)
  if left and width >= 60 then pieces[#pieces + 1] = { "  " .. left, "dim" } end
  local used = 0
  for _, piece in ipairs(pieces) do used = used + text.width(piece[1]) end
  local room = math.min(34, width - used - 2)
  if room >= 8 then
    local full, rest = bar(share, room)
    table.insert(pieces, 1, { " " .. full, self.failures > 0 and "red" or "green" })
    table.insert(pieces, 2, { rest .. " ", "dim" })
  end
  return line_of(self, pieces, width)
end

local function short_path(path) return (path:gsub("^%./", ""):gsub("^specs?/", "")) end

-- The test of a worker that has run longest, or its file's setup.
local function oldest(a, b)
  if (a.test ~= nil) ~= (b.test ~= nil) then return a.test and a or b end
  local at, bt = a.test and a.test.at or a.began or 0, b.test and b.test.at or b.began or 0
  return at <= bt and a or b
end

local function worker_lines(self, now, width, most, lines)
  local by_worker, order, others = {}, {}, {}
  for _, file in pairs(self.running) do
    local worker = file.worker
    if by_worker[worker] then
      others[worker] = others[worker] + 1
      by_worker[worker] = oldest(by_worker[worker], file)
    else
      by_worker[worker], others[worker] = file, 0
      order[#order + 1] = worker
    end
  end
  table.sort(order)
  for i, worker in ipairs(order) do
    if i > most then
      lines[#lines + 1] = line_of(self, { { (" … %d more workers"):format(#order - most), "dim" } }, width)
      return
    end
    local file = by_worker[worker]
    local test = file.test
    local age = now - (test and test.at or file.began or now)
    local where = short_path(file.file) .. (test and ":" .. test.line or "")
    local tail = "  " .. (age >= 0.1 and text.duration(age) or "")
    local waits = file.waits and ("  %s"):format(text.one_line(file.waits.what or "")) or ""
    local more = others[worker] > 0 and ("  +%d"):format(others[worker]) or ""
    local name = test and text.one_line(test.own or test.name) or "…"
    local room = width - text.width((" %d │ "):format(worker)) - text.width(tail) - text.width(more)
    where = text.clip(where, math.max(8, math.min(room, 44)))
    local left = room - text.width(where) - 2
    name = left > 6 and text.clip(name, waits ~= "" and math.max(6, left // 2) or left) or ""
    left = left - text.width(name)
    lines[#lines + 1] = line_of(self, {
      { (" %d │ "):format(worker), "dim" }, { where, "cyan" }, { name ~= "" and "  " .. name or "" }, { tail, "dim" },
      { left > 8 and text.clip(waits, left) or "", "yellow" }, { more, "dim" },
    }, width)
  end
end

--- The lines now.
---@param now number         seconds on the wall clock
---@param columns integer    of the terminal
---@param rows integer
---@return string[]
function Live:lines(now, columns, rows)
  local width = columns - 1
  local most = math.max(1, math.min(WORKERS, rows - 4))
  local lines = { "", progress(self, now, width) }
  if rows < 6 then lines = { lines[2] } end
  local starting = {}
  for _, entry in ipairs(self.services) do
    starting[#starting + 1] = ("%s (%s)"):format(entry.name, text.duration(math.max(0, now - (entry.at or now))))
  end
  if starting[1] then
    lines[#lines + 1] = line_of(self, { { " starting ", "dim" }, { table.concat(starting, ", ") } }, width)
  end
  worker_lines(self, now, width, most, lines)
  return lines
end

return live
