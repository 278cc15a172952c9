--- The one place where secrets are hidden in text that leaves the process: reports, messages, timelines, curl
-- commands. Hides the values it is told in every form they usually take (as they are, escaped for JSON, URLs and
-- XML, base64, hex), passwords in URLs and in curl's -u, and the values of headers that carry credentials. What is
-- hidden becomes "***".

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

local json_escapes = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }
local xml_escapes = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;" }

local function forms_of(value)
  local forms, seen = {}, {}
  local function add(text)
    if #text >= 4 and not seen[text] then
      seen[text] = true
      forms[#forms + 1] = text
    end
  end
  add(value)
  add((value:gsub('[%c"\\]', function(c) return json_escapes[c] or ("\\u%04x"):format(c:byte()) end)))
  add((value:gsub("/", "\\/")))
  add((value:gsub("[&<>\"']", xml_escapes)))
  for _, format in ipairs { "%%%02X", "%%%02x" } do
    local url = value:gsub("[^%w%-._~]", function(c) return format:format(c:byte()) end)
    add(url)
    add((url:gsub("%%20", "+")))
  end
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
  -- Plain looks first: of the thousands of texts of a run next to none holds a password.
  if text:find("@", 1, true) and text:find("://", 1, true) then
    -- Up to the last @ of the authority: a password may hold one.
    text = text:gsub("(%a[%w+.-]*://[^%s:/@\"'<>]*:)([^%s/\"'<>]+)@", "%1" .. hidden .. "@")
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

--- A function that hides secrets in a text.
---@param options? { values?: string[] }|string[]     the secrets themselves; those shorter than 4 bytes are not looked for
---@return fun(text: string): string
function mask.new(options)
  local forms = {}
  for _, value in ipairs(options and (options.values or options) or {}) do
    for _, form in ipairs(forms_of(tostring(value))) do forms[#forms + 1] = form end
  end
  -- The longest first: a secret may be part of another.
  table.sort(forms, function(a, b) return #a > #b end)
  local patterns = {}
  for i, form in ipairs(forms) do patterns[i] = form:gsub("%W", "%%%0") end
  return function(text)
    for i = 1, #forms do
      if text:find(forms[i], 1, true) then text = text:gsub(patterns[i], hidden) end
    end
    return hide_headers(hide_passwords(text))
  end
end

--- Hides what can be told without being told any values.
---@param text string
---@return string
mask.text = mask.new()

return mask
