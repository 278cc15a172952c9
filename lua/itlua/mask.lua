--- The one place where secrets are hidden in text that leaves the process: reports, messages, timelines, curl
-- commands. Hides the values it is told in every form they usually take (as they are, escaped for JSON, also JSON in
-- JSON, for URLs and XML, base64 wherever they begin in it, hex), passwords in URLs and in curl's -u, and the values of
-- headers that carry credentials. What is hidden becomes "***".

local mask = {}

local hidden = "***"

local headers = {
  "authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "api-key", "x-auth-token",
  "x-csrf-token",
}

local carries_credentials = {}
for _, name in ipairs(headers) do carries_credentials[name] = true end

-- ---- forms of a value

local alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

local function base64(s)
  local out = {}
  for i = 1, #s, 3 do
    local a, b, c = s:byte(i, i + 2)
    local bits = a << 16 | (b or 0) << 8 | (c or 0)
    for shift = 18, 0, -6 do
      local index = bits >> shift & 63
      out[#out + 1] = alphabet:sub(index + 1, index + 1)
    end
    if not b then out[#out - 1], out[#out] = "=", "=" elseif not c then out[#out] = "=" end
  end
  return table.concat(out)
end

-- In the middle of other data base64 has three forms; of each, the characters that depend on the value alone.
local function base64_forms(s)
  local forms = {}
  for offset = 0, 2 do
    local text = base64(("\0"):rep(offset) .. s):gsub("=+$", "")
    local bits = (offset + #s) * 8
    forms[#forms + 1] = text:sub((offset * 8 + 5) // 6 + 1, bits // 6)
  end
  return forms
end

local json_escapes = {
  ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t", ["\b"] = "\\b",
  ["\f"] = "\\f" }
local xml_escapes = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;" }
local other_escapes = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&#34;", ["'"] = "&apos;" }

local function escaped(value)
  return (value:gsub('[%c"\\]', function(c) return json_escapes[c] or ("\\u%04x"):format(c:byte()) end))
end

-- JSON of those who write everything beyond ASCII as \u….
local function ascii(value, format)
  if not utf8.len(value) then return value end
  return (escaped(value):gsub(utf8.charpattern, function(char)
    local code = utf8.codepoint(char)
    if code < 128 then return char end
    if code < 0x10000 then return format:format(code) end
    code = code - 0x10000
    return format:format(0xD800 + (code >> 10)) .. format:format(0xDC00 + (code & 0x3FF))
  end))
end

-- What different encoders of URLs leave as it is.
local unreserved = {
  "[^%w%-._~]",              -- all but what never needs it
  "[^%w%-._~!'()*]",         -- encodeURIComponent
  "[^%w%-._~!'()*/]",        -- a path's segments
  "[^%w%-._~!$&'()*+,;=:@/?]", -- a path, a query
  "[^%w%-._*]",              -- a form
}

local function in_urls(value, add)
  for _, set in ipairs(unreserved) do
    for _, format in ipairs { "%%%02X", "%%%02x" } do
      local url = value:gsub(set, function(c) return format:format(c:byte()) end)
      add(url)
      add((url:gsub("%%20", "+")))
    end
  end
end

local function forms_of(value)
  local forms, seen = {}, {}
  local function add(text)
    if #text >= 4 and not seen[text] then
      seen[text] = true
      forms[#forms + 1] = text
    end
  end
  add(value)
  -- JSON in a JSON string in a JSON string: a body in a timeline.
  local json = value
  for _ = 1, 3 do
    json = escaped(json)
    add(json)
    add((json:gsub("/", "\\/")))
  end
  for _, format in ipairs { "\\u%04x", "\\u%04X" } do
    local text = ascii(value, format)
    add(text)
    add(escaped(text))
  end
  add((value:gsub("[&<>\"']", xml_escapes)))
  add((value:gsub("[&<>\"']", other_escapes)))
  in_urls(value, add)
  for _, text in ipairs(base64_forms(value)) do
    if #text >= 8 then
      add(text)
      add((text:gsub("[+/]", { ["+"] = "-", ["/"] = "_" })))
    end
  end
  if #value >= 6 then
    local hex = value:gsub(".", function(c) return ("%02x"):format(c:byte()) end)
    add(hex)
    add(hex:upper())
  end
  return forms
end

-- ---- credentials by where they stand

local function any_case(word)
  return (word:gsub(".", function(c)
    if c:find "%a" then return "[" .. c:upper() .. c:lower() .. "]" end
    return "%" .. c
  end))
end

-- "Authorization: Bearer x", "Authorization":"Basic x", Authorization = "x"; also with the quotes escaped.
local header_patterns = {}
for i, name in ipairs(headers) do
  header_patterns[i] = "(" .. any_case(name) .. "\\?[\"']?%]?%s*[:=]%s*\\?[\"']?)([^\"'\r\n]+)"
end

local function hide_value(before, value)
  local scheme, rest = value:match "^(%a[%w_-]*)%s+(%S.*)$"
  local escape = value:match "\\$" or ""
  if value:find "^%*%*%*" then return nil end
  if scheme and rest and (scheme:lower() == "bearer" or scheme:lower() == "basic" or scheme:lower() == "digest") then
    return before .. scheme .. " " .. hidden .. escape
  end
  return before .. hidden .. escape
end

-- Any of these has to be there for a header to be: a cheap look before the patterns.
local hints = { "uthoriz", "UTHORIZ", "ookie", "OOKIE", "-key", "-Key", "-KEY", "-oken", "-token", "-Token", "-TOKEN" }

local function hide_headers(text)
  local suspect = false
  for i = 1, #hints do
    if text:find(hints[i], 1, true) then
      suspect = true
      break
    end
  end
  if not suspect then return text end
  for i = 1, #header_patterns do text = text:gsub(header_patterns[i], hide_value) end
  return text
end

local function hide_cookies(before, cookies)
  return before .. cookies:gsub("=[^;]*", "=" .. hidden)
end

local function hide_passwords(text)
  if text:find("bearer", 1, true) then -- in a spec's source
    text = text:gsub("(%f[%w]bearer%s*=%s*\\?[\"'])([^\"'\\\n]+)", "%1" .. hidden)
  end
  -- Plain looks first: of the thousands of texts of a run next to none holds a password.
  if text:find("@", 1, true) and text:find("://", 1, true) then
    -- Up to the last @ of the authority: a password may hold one. The scheme is not looked at: a pattern that begins with
    -- letters takes the square of the length of a text that is all letters.
    text = text:gsub("(://[^%s:/@\"'<>]*:)([^%s/\"'<>]+)@", "%1" .. hidden .. "@")
  end
  if text:find("curl", 1, true) then
    if text:find("-u ", 1, true) then text = text:gsub("(%-u '?[^%s:']*:)([^%s']+)", "%1" .. hidden) end
    if text:find("--user ", 1, true) then text = text:gsub("(%-%-user '?[^%s:']*:)([^%s']+)", "%1" .. hidden) end
    for _, option in ipairs { "-b", "--cookie" } do
      if text:find(option .. " ", 1, true) then
        local pattern = option:gsub("%-", "%%-")
        text = text:gsub("(" .. pattern .. " ')([^'\n]*)", hide_cookies)
        text = text:gsub("(" .. pattern .. " )([^%s']+)", hide_cookies)
      end
    end
  end
  return text
end

--- The value of a header for a message: of one that carries credentials only the names in it are left.
---@param name string
---@param value string
---@return string
function mask.header(name, value)
  local lower = name:lower()
  if not carries_credentials[lower] then return value end
  if lower == "cookie" then return (value:gsub("=[^;]*", "=" .. hidden)) end
  if lower == "set-cookie" then return (value:gsub("^([^=;]*=)[^;]*", "%1" .. hidden)) end
  return hide_value("", value) or value
end

-- A secret of several lines (a key in PEM) may be printed line by line.
local function with_lines(values)
  local all = {}
  for _, value in ipairs(values) do
    value = tostring(value)
    all[#all + 1] = value
    if value:find "\n" then
      for line in value:gmatch "[^\r\n]+" do
        if #line >= 8 and not line:find "^%-%-%-%-%-" then all[#all + 1] = line end
      end
    end
  end
  return all
end

local known = setmetatable({}, { __mode = "k" }) -- the forms that a function looks for

--- A function that hides secrets in a text.
---@param options? { values?: string[] }|string[]     the secrets themselves; those shorter than 4 bytes are not looked for
---@return fun(text: string): string
function mask.new(options)
  local forms = {}
  for _, value in ipairs(with_lines(options and (options.values or options) or {})) do
    for _, form in ipairs(forms_of(value)) do forms[#forms + 1] = form end
  end
  -- The longest first: a secret may be part of another.
  table.sort(forms, function(a, b) return #a > #b end)
  local patterns = {}
  for i, form in ipairs(forms) do patterns[i] = form:gsub("%W", "%%%0") end
  local function hide(text)
    for i = 1, #forms do
      if text:find(forms[i], 1, true) then text = text:gsub(patterns[i], hidden) end
    end
    return hide_headers(hide_passwords(text))
  end
  known[hide] = forms
  return hide
end

--- One that hides the values of these environment variables: how `secrets` in itlua.lua names them.
---@param names? string[]
---@return fun(text: string): string
function mask.of(names)
  local values = {}
  for _, name in ipairs(names or {}) do values[#values + 1] = os.getenv(name) end
  return mask.new { values = values }
end

--- How many bytes at the end of a text may be the beginning of a secret, of which the rest is still to come.
---@param hide fun(text: string): string     of mask.new
---@param text string
---@return integer
function mask.pending(hide, text)
  local most = 0
  for _, form in ipairs(known[hide] or {}) do
    local n = math.min(#form - 1, #text)
    while n > most and text:sub(-n) ~= form:sub(1, n) do n = n - 1 end
    if n > most then most = n end
  end
  return most
end

--- Hides what can be told without being told any values.
---@param text string
---@return string
mask.text = mask.new()

return mask
