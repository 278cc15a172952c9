--- Whether a value of a test and a value of a database are the same, by the column's type: 12.5 and numeric "12.50",
-- two writings of one instant, a UUID in capitals. Needs no connection and no driver.

local diff = require "itlua.diff"
local null = require "itlua.null"

local equality = {}

-- A decimal without what changes nothing: "-012.500" -> "-12.5". nil where it is none.
local function decimal(value)
  local text = tostring(value)
  if math.type(value) == "float" then
    if value ~= value or value == math.huge or value == -math.huge then return text end
    text = ("%.15g"):format(value)
    if tonumber(text) ~= value then text = ("%.17g"):format(value) end
  end
  local mantissa, exponent = text:match "^(.-)[eE]([+-]?%d+)$"
  local sign, whole, fraction = (mantissa or text):match "^([+-]?)(%d*)%.?(%d*)$"
  if not sign or whole .. fraction == "" then return nil end
  local shift = tonumber(exponent or 0)
  if shift > 0 then
    fraction = fraction .. ("0"):rep(shift - #fraction)
    whole, fraction = whole .. fraction:sub(1, shift), fraction:sub(shift + 1)
  elseif shift < 0 then
    whole = ("0"):rep(-shift - #whole) .. whole
    whole, fraction = whole:sub(1, shift - 1), whole:sub(shift) .. fraction
  end
  whole, fraction = whole:gsub("^0+", ""), fraction:gsub("0+$", "")
  if whole == "" then whole = "0" end
  local number = fraction == "" and whole or whole .. "." .. fraction
  return sign == "-" and number ~= "0" and "-" .. number or number
end

-- Days since 1970 of a date of the Gregorian calendar.
local function days(year, month, day)
  if month <= 2 then year = year - 1 end
  local era = year // 400
  local of_era = year - era * 400
  local of_year = (153 * (month + (month > 2 and -3 or 9)) + 2) // 5 + day - 1
  return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468
end

-- "2024-05-01 14:00:00.250+02" -> seconds since 1970 and the fraction as text, or nil. Without a zone: as if in UTC.
local function instant(text, with_zone)
  local y, mo, d, h, mi, rest = text:match "^(%d%d%d%d+)%-(%d%d)%-(%d%d)[ Tt](%d%d):(%d%d)(.*)$"
  if not y then return nil end
  local s, fraction, zone = rest:match "^:(%d%d)%.?(%d*)(.*)$"
  if not s then s, fraction, zone = 0, "", rest end
  local offset = 0
  if with_zone then
    local sign, hours, minutes, seconds = zone:match "^([+-])(%d%d):?(%d?%d?):?(%d?%d?)$"
    if sign then
      offset = tonumber(hours) * 3600 + (tonumber(minutes) or 0) * 60 + (tonumber(seconds) or 0)
      if sign == "-" then offset = -offset end
    elseif zone ~= "Z" and zone ~= "z" then
      return nil
    end
  elseif zone ~= "" then
    return nil
  end
  y, mo, d = math.tointeger(tonumber(y)), math.tointeger(tonumber(mo)), math.tointeger(tonumber(d))
  local seconds = days(y, mo, d) * 86400 + tonumber(h) * 3600 + tonumber(mi) * 60 + tonumber(s) - offset
  return ("%d.%s"):format(seconds, (fraction:gsub("0+$", "")))
end

local by_type = {
  numeric = decimal,
  uuid = function(value) return type(value) == "string" and value:lower() or nil end,
  timestamptz = function(value) return type(value) == "string" and instant(value, true) or nil end,
  timestamp = function(value) return type(value) == "string" and instant(value, false) or nil end,
}

--- Whether `expected` is the value that came from a column of that type.
---@param sql_type? string     "numeric", "uuid[]", …
---@param expected any
---@param got any
---@return boolean
function equality.values(sql_type, expected, got)
  if rawequal(expected, got) then return true end
  if expected == null or got == null then return false end
  local element = sql_type and sql_type:match "^(.*)%[%]$"
  if element and type(expected) == "table" and type(got) == "table" then
    if #expected ~= #got then return false end
    for i = 1, #got do
      local nested = type(got[i]) == "table" and type(expected[i]) == "table" and by_type[element]
      if not equality.values(nested and sql_type or element, expected[i], got[i]) then return false end
    end
    return true
  end
  local canonical = by_type[sql_type]
  if canonical then
    local kind = type(expected)
    if kind ~= "string" and kind ~= "number" then return false end
    local a, b = canonical(expected), canonical(got)
    if a and b then return a == b end
  end
  return #diff.compare(expected, got).entries == 0
end

return equality
