--- Tar archives (ustar with pax headers), written and read piece by piece: how files get into and out of containers.

local core = require "itlua.core"
local fs = require "itlua.fs"
local native = require "itlua.container.core"

local tar = {}

local BLOCK, PIECE = 512, 256 * 1024

---@class itlua.container.tar.Entry
---@field name string          "etc/app.conf", without a slash at its start
---@field type? "file"|"folder"|"link"   "file"
---@field content? string      of a file: this,
---@field source? string       or what is in the file at this path
---@field size? integer        of `source`
---@field target? string       of a link
---@field mode? integer        0644, folders 0755
---@field uid? integer         0
---@field gid? integer         0
---@field modified? number     seconds since 1970; now

-- ---- writing

local TYPES = { file = "0", link = "2", folder = "5" }

local function octal(value, width)
  return ("%0" .. width - 1 .. "o\0"):format(value)
end

local function header(name, type_flag, size, entry)
  local block = table.concat {
    name .. ("\0"):rep(100 - #name), octal(entry.mode or 420, 8), octal(entry.uid or 0, 8), octal(entry.gid or 0, 8),
    octal(size, 12), octal(math.floor(entry.modified or core.clock()), 12), "        ", type_flag,
    (entry.target or ""):sub(1, 100) .. ("\0"):rep(100 - math.min(100, #(entry.target or ""))), "ustar\00000",
    ("\0"):rep(32), ("\0"):rep(32), octal(0, 8), octal(0, 8), ("\0"):rep(155), ("\0"):rep(12),
  }
  local sum = 0
  for i = 1, BLOCK do sum = sum + block:byte(i) end
  return block:sub(1, 148) .. ("%06o\0 "):format(sum) .. block:sub(157)
end

local function padding(size)
  return ("\0"):rep(-size % BLOCK)
end

-- "<length> path=<value>\n", where the length counts its own digits.
local function pax_record(key, value)
  local rest = (" %s=%s\n"):format(key, value)
  local length = #rest + 1
  while #tostring(length) + #rest ~= length do length = #tostring(length) + #rest end
  return length .. rest
end

local function extended(entry, name)
  local records = ""
  if #name > 100 then records = pax_record("path", name) end
  if entry.target and #entry.target > 100 then records = records .. pax_record("linkpath", entry.target) end
  if records == "" then return "" end
  return header("PaxHeader", "x", #records, {}) .. records .. padding(#records)
end

local function put_source(put, entry)
  local f, why = io.open(entry.source, "rb")
  if not f then core.raise("fs", "ENOENT", ("cannot read %s"):format(why), { path = entry.source }) end
  local file <close> = f
  local left = entry.size
  while left > 0 do
    local piece = file:read(math.min(left, PIECE))
    if not piece then piece = ("\0"):rep(math.min(left, PIECE)) end -- it has become shorter: the archive stays one
    left = left - #piece
    put(piece)
  end
end

local function put_entry(put, entry)
  local kind = entry.type or "file"
  local name = entry.name .. (kind == "folder" and "/" or "")
  if entry.source and not entry.size then entry.size = fs.stat(entry.source).size end
  local size = kind == "file" and (entry.content and #entry.content or entry.size or 0) or 0
  if kind == "folder" and not entry.mode then entry.mode = 493 end
  put(extended(entry, name) .. header(name:sub(1, 100), TYPES[kind], size, entry))
  if kind ~= "file" then return end
  if entry.content then put(entry.content) elseif entry.source then put_source(put, entry) end
  put(padding(size))
end

--- The archive as a function that returns piece after piece, then nil: a body for itlua.http.
---@param entries itlua.container.tar.Entry[]
---@return fun(): string?
function tar.pieces(entries)
  return coroutine.wrap(function()
    local buffer, size = {}, 0
    local function put(piece)
      buffer[#buffer + 1] = piece
      size = size + #piece
      if size < PIECE then return end
      local all = table.concat(buffer)
      buffer, size = {}, 0
      coroutine.yield(all)
    end
    for _, entry in ipairs(entries) do put_entry(put, entry) end
    put(("\0"):rep(2 * BLOCK))
    if size > 0 then coroutine.yield(table.concat(buffer)) end
  end)
end

--- The archive in one piece.
function tar.encode(entries)
  local all = {}
  for piece in tar.pieces(entries) do all[#all + 1] = piece end
  return table.concat(all)
end

--- Entries for a file or a folder and all in it, under the name `name`.
---@param path string
---@param name string
---@param wanted? fun(relative: string, type: string): boolean   of what is in a folder
---@return itlua.container.tar.Entry[]
function tar.entries_of(path, name, wanted)
  local list = {}
  local function add(source, as)
    local stat = fs.stat(source, { follow = false })
    local entry = { name = as, mode = stat.mode & 4095, modified = stat.modified }
    if stat.type == "folder" then
      entry.type = "folder"
    elseif stat.type == "link" then
      entry.type, entry.target = "link", native.readlink(source) or ""
    elseif stat.type == "file" then
      entry.type, entry.source, entry.size = "file", source, stat.size
    else
      return
    end
    list[#list + 1] = entry
  end
  if fs.stat(path).type ~= "folder" then
    add(fs.realpath(path), name)
    return list
  end
  if name ~= "" then list[1] = { name = name, type = "folder", mode = fs.stat(path).mode & 4095 } end
  for _, relative in ipairs(fs.list(path, { recursive = true })) do
    local source = fs.join(path, relative)
    if not wanted or wanted(relative, fs.stat(source, { follow = false }).type) then
      add(source, name == "" and relative or name .. "/" .. relative)
    end
    core.breathe()
  end
  return list
end

-- ---- reading

local Reader = {}
Reader.__index = Reader

--- Reads an archive from a function that returns piece after piece, then nil.
---@param source fun(): string?
function tar.reader(source)
  return setmetatable({ source = source, rest = "", left = 0, pad = 0 }, Reader)
end

-- Exactly n bytes, or nil at the end.
local function take(self, n)
  if #self.rest < n then
    local pieces, size = { self.rest }, #self.rest
    while size < n do
      local piece = self.source()
      if not piece then break end
      pieces[#pieces + 1] = piece
      size = size + #piece
    end
    self.rest = table.concat(pieces)
    if size < n then return nil end
  end
  local bytes = self.rest:sub(1, n)
  self.rest = self.rest:sub(n + 1)
  return bytes
end

local function number(field)
  if field:byte(1) >= 128 then -- binary, of what octal cannot hold
    return (string.unpack(">I8", field:sub(-8)))
  end
  return tonumber(field:match "^[%s\0]*([0-7]*)", 8) or 0
end

local function text(field)
  return field:match "^[^\0]*"
end

local KINDS = { ["0"] = "file", ["\0"] = "file", ["7"] = "file", ["1"] = "hard link", ["2"] = "link", ["5"] = "folder" }

local function whole(self, size)
  local data = take(self, size) or ""
  take(self, -size % BLOCK)
  return data
end

--- The next entry: {name, type, size, mode, uid, gid, modified, target}; nil at the end. What was not read of the one
--- before is skipped.
function Reader:next()
  while self:read() do end
  take(self, self.pad)
  self.pad = 0
  local long = {}
  while true do
    local block = take(self, BLOCK)
    if not block then core.raise("container", "ARCHIVE", "the archive ended too early") end
    if block == ("\0"):rep(BLOCK) then return nil end
    local size, flag = number(block:sub(125, 136)), block:sub(157, 157)
    if flag == "x" or flag == "g" then
      for key, value in whole(self, size):gmatch "%d+ ([^=]+)=([^\n]*)\n" do
        if flag == "x" then long[key] = value end
      end
    elseif flag == "L" or flag == "K" then
      long[flag == "L" and "path" or "linkpath"] = text(whole(self, size))
    else
      local prefix, name = text(block:sub(346, 500)), text(block:sub(1, 100))
      if block:sub(258, 262) == "ustar" and prefix ~= "" then name = prefix .. "/" .. name end
      size = tonumber(long.size) or size
      self.left, self.pad = size, -size % BLOCK
      return {
        name = (long.path or name):gsub("/+$", ""), type = KINDS[flag] or "other", size = size,
        mode = number(block:sub(101, 108)), uid = number(block:sub(109, 116)), gid = number(block:sub(117, 124)),
        modified = number(block:sub(137, 148)), target = long.linkpath or text(block:sub(158, 257)),
      }
    end
  end
end

--- The next piece of the entry's content; nil when there is no more.
---@return string?
function Reader:read()
  if self.left == 0 then return nil end
  local piece
  if #self.rest > 0 then piece = self.rest else piece = self.source() end
  if not piece then
    core.raise("container", "ARCHIVE", "the archive ended in the middle of a file")
  end
  self.rest = piece:sub(self.left + 1)
  piece = piece:sub(1, self.left)
  self.left = self.left - #piece
  return piece
end

--- All of the entry's content.
function Reader:content()
  local pieces = {}
  for piece in function() return self:read() end do pieces[#pieces + 1] = piece end
  return table.concat(pieces)
end

return tar
