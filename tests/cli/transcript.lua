-- Runs transcripts of the command line and compares.    itlua exec tests/cli/transcript.lua [--update] FILE.t…
--
-- A transcript is prose with indented lines: `  $ command`, its further lines `  > …`, what it prints (both streams), and
-- `  [2]` where its exit code is not 0. A file's commands run in one shell, in an empty folder, with `itlua` in the PATH.
-- What differs between two runs is put into one form first (times, addresses, versions, the folder, process numbers). A
-- printed line that ends in ` (glob)` may hold `*`. --update writes what came.
-- How fast a machine is must not matter: `appears FILE…` waits until the files exist and hold something, `ends PID…` until no
-- such process runs; either gives up after a minute with exit code 1.
-- A file in which something differs runs once more, where that is not to write: what is as expected then is flaky.
-- Says `ok`/`not ok`/`flaky` per command; the last line is `N passed, N failed, N skipped`.

local program = assert(os.getenv("ITLUA"), "ITLUA names the program to test")

local fixtures = assert(os.getenv("FIXTURES"), "FIXTURES names the folder of compiled fixtures")

local function read(path)
  local f = assert(io.open(path, "rb"))
  local text = f:read("a")
  f:close()
  return text
end

local function write(path, text)
  local f = assert(io.open(path, "wb"))
  f:write(text)
  f:close()
end

local waits = [[
appears() { for f; do n=0; until [ -s "$f" ]; do n=$((n + 1)); [ $n -lt 1200 ] || return 1; sleep 0.05; done; done; }
lives() { ps -o stat= -p "$1" | grep -qv Z; }
ends() { for p; do n=0; while lives "$p"; do n=$((n + 1)); [ $n -lt 1200 ] || return 1; sleep 0.05; done; done; }
]]

local function quote(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

-- {prose…, {command=, expected=, line=}, …}
local function parse(text)
  local parts, current, number = {}, nil, 0
  for line in text:gmatch("([^\n]*)\n") do
    number = number + 1
    if line:find("^  %$ ") then
      current = { command = line:sub(5) .. "\n", source = line .. "\n", expected = {}, line = number }
      parts[#parts + 1] = current
    elseif current and line:find("^  > ?") and #current.expected == 0 then
      current.command = current.command .. line:sub(5) .. "\n"
      current.source = current.source .. line .. "\n"
    elseif current and line:find("^  ") then
      table.insert(current.expected, line:sub(3))
    else
      current = nil
      parts[#parts + 1] = line .. "\n"
    end
  end
  return parts
end

local function normal(text, folder)
  text = text:gsub(folder:gsub("%p", "%%%0"), "$DIR"):gsub(program:gsub("%p", "%%%0"), "itlua")
  text = text:gsub("/tmp/[%w.]+/bin/itlua", "itlua"):gsub(fixtures:gsub("%p", "%%%0"), "$FIXTURES")
  text = text:gsub("0x%x%x%x%x+", "0xADDRESS"):gsub("(again[: ]+itlua [^\n]*%-%-seed )%d+", "%1N")
  text = text:gsub("(\n seed +)%d+\n", "%1N\n")
  text = text:gsub("%d+%.%d+ seconds", "N seconds"):gsub("%f[%d.]%d+%.%d+ s%f[%W]", "N s"):gsub("%d+%.?%d* ms", "N ms")
  text = text:gsub("itlua %d+%.%d+%.%d+[%w.+-]*", "itlua VERSION")
  text = text:gsub("(itlua:[%w/_]+:)%d+", "%1LINE"):gsub("(itlua:[%w/_]+ @ )%d+", "%1LINE")
  return text
end

local function matches(expected, got)
  -- A slow machine's takes longer than a second, and what is aligned to the right has other blanks before it.
  expected, got = expected:gsub(" +N m?s%f[%W]", " N s"), got:gsub(" +N m?s%f[%W]", " N s")
  local glob = expected:match("^(.*) %(glob%)$")
  if not glob then return expected == got end
  local pattern = glob:gsub("[%^%$%(%)%%%.%[%]%+%-%?]", "%%%0"):gsub("%*", ".*")
  return got:find("^" .. pattern .. "$") ~= nil
end

local function same(expected, got)
  if #expected ~= #got then return false end
  for i = 1, #got do
    if not matches(expected[i], got[i]) then return false end
  end
  return true
end

-- The outputs of all commands: lists of lines, the exit code as the last where it is not 0.
local function run(parts)
  local handle = io.popen("mktemp -d")
  local folder = handle:read("l")
  handle:close()
  os.execute(("mkdir %s/bin %s/work && ln -s %s %s/bin/itlua"):format(folder, folder, quote(program), folder))
  local salt = ("-=%s=-"):format(folder:match("[^.]*$"))
  local script = { ("cd %s/work || exit 9\nPATH=%s/bin:$PATH\nexport TERM=dumb FIXTURES=%s\nunset NO_COLOR CI GITHUB_ACTIONS GITHUB_STEP_SUMMARY GITLAB_CI\n"):format(folder,
    folder, quote(fixtures)) .. waits }
  for _, part in ipairs(parts) do
    if type(part) == "table" then
      script[#script + 1] = part.command .. ("{ __code=$?; } 2>/dev/null; echo; echo '%s' $__code\n"):format(salt)
    end
  end
  write(folder .. "/script", table.concat(script))
  handle = io.popen(("timeout -k 5 400 sh %s/script 2>&1 </dev/null"):format(folder))
  local text = normal(handle:read("a"), folder .. "/work")
  handle:close()
  os.execute("rm -rf " .. quote(folder))
  local outputs, at = {}, 1
  while true do
    local first, last = text:find("\n" .. salt:gsub("%p", "%%%0") .. " %d+\n", at)
    if not first then break end
    local lines = {}
    local printed = text:sub(at, first - 1)
    for line in (printed:gsub("([^\n])$", "%1\n")):gmatch("([^\n]*)\n") do lines[#lines + 1] = line end
    local code = text:sub(first, last):match(" (%d+)\n$")
    if code ~= "0" then lines[#lines + 1] = ("[%s]"):format(code) end
    outputs[#outputs + 1] = lines
    at = last + 1
  end
  return outputs
end

local function show(lines, sign)
  for _, line in ipairs(lines) do print(sign .. line:gsub("[%c\x80-\xff]", function(c) return ("\\x%02x"):format(c:byte()) end)) end
end

local passed, failed = 0, 0

-- The outputs that are as expected: true by index; whether all are.
local function compare(parts, outputs)
  local as_expected, all, index = {}, true, 0
  for _, part in ipairs(parts) do
    if type(part) == "table" then
      index = index + 1
      as_expected[index] = outputs[index] ~= nil and same(part.expected, outputs[index])
      all = all and as_expected[index]
    end
  end
  return as_expected, all
end

local function check(path)
  local parts = parse(read(path))
  local outputs, index = run(parts), 0
  local first, all = compare(parts, outputs)
  local second = all and first or compare(parts, run(parts))
  for _, part in ipairs(parts) do
    if type(part) == "table" then
      index = index + 1
      local good = first[index] or second[index]
      passed, failed = passed + (good and 1 or 0), failed + (good and 0 or 1)
      print(("%s %s:%d %s"):format(first[index] and "ok" or good and "flaky" or "not ok", path, part.line,
        part.command:match("[^\n]*")))
      if not first[index] then
        show(part.expected, "  - ")
        show(outputs[index] or { "(the shell never came here)" }, "  + ")
      end
    end
  end
end

local function update(path)
  local parts = parse(read(path))
  local outputs, index, updated = run(parts), 0, {}
  for _, part in ipairs(parts) do
    if type(part) == "table" then
      index = index + 1
      local got = outputs[index] or { "(the shell never came here)" }
      if same(part.expected, got) then got = part.expected end
      updated[#updated + 1] = part.source
      for _, line in ipairs(got) do updated[#updated + 1] = "  " .. line .. "\n" end
    else
      updated[#updated + 1] = part
    end
  end
  write(path, table.concat(updated))
end

local treat = check
for _, path in ipairs(arg) do
  if path == "--update" then treat = update
  else treat(path) end
end
print(("%d passed, %d failed, 0 skipped"):format(passed, failed))
os.exit(failed == 0 and 0 or 1)
