--- Moments and durations. A moment is a number of seconds since 1970 (UTC, with a fraction); a duration is in seconds.
--
-- Moments also come as text: ISO 8601 as RFC 3339 has it ("2024-05-01T12:34:56.789+02:00"). Where a moment is wanted,
-- both do. Nothing here stops or moves a clock. Errors have kind "time".

local core = require "itlua.core"

local time = {}

--- The wall clock.
---@return number seconds since 1970
function time.now()
  return core.clock()
end

--- A clock that only goes forward, for measuring.
---@return number seconds since some moment
function time.monotonic()
  return core.now()
end

-- ---- the calendar

local DAY = 86400

-- Days since 1970-01-01 in the Gregorian calendar, and back. After Howard Hinnant: years begin in March.
local function days_of(year, month, day)
  if month <= 2 then year = year - 1 end
  local era = year // 400
  local year_of_era = year - era * 400
  local day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
  return era * 146097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719468
end

local function date_of(days)
  days = days + 719468
  local era = days // 146097
  local day_of_era = days - era * 146097
  local year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36524 - day_of_era // 146096) // 365
  local day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
  local shifted = (5 * day_of_year + 2) // 153
  local month = (shifted + 2) % 12 + 1
  local year = year_of_era + era * 400
  return month <= 2 and year + 1 or year, month, day_of_year - (153 * shifted + 2) // 5 + 1
end

local function days_in(year, month)
  if month == 2 then return (year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)) and 29 or 28 end
  return (month == 4 or month == 6 or month == 9 or month == 11) and 30 or 31
end

-- ---- text to moment

local function refuse(text, why)
  local shown = #text > 60 and text:sub(1, 57) .. "…" or text
  core.raise("time", "SYNTAX", ("'%s' is no ISO 8601 time: %s"):format(shown, why), { text = text })
end

local function in_range(text, what, value, low, high)
  if value < low or value > high then
    refuse(text, ("the %s is %02d, not %02d to %02d"):format(what, value, low, high))
  end
  return value
end

-- The offset at the end: in seconds and as minutes; nil when there is none.
local function offset_of(text, zone)
  if zone == "Z" or zone == "z" then return 0 end
  local sign, hours, minutes = zone:match("^([-+])(%d%d):?(%d%d)$")
  if not sign then sign, hours, minutes = zone:match("^([-+])(%d%d)()$") end
  if not sign then refuse(text, ("the offset '%s' is neither 'Z' nor like '+02:00'"):format(zone)) end
  if math.type(minutes) == "integer" then minutes = 0 end
  hours = in_range(text, "offset's hour", tonumber(hours), 0, 23)
  minutes = in_range(text, "offset's minute", tonumber(minutes), 0, 59)
  return (hours * 60 + minutes) * (sign == "-" and -60 or 60)
end

local function clock_of(text, rest)
  local hour, minute, second, tail = rest:match("^(%d%d):(%d%d):(%d%d)(.*)$")
  if not hour then hour, minute, second, tail = rest:match("^(%d%d)(%d%d)(%d%d)(.*)$") end
  if not hour then
    hour, minute, tail = rest:match("^(%d%d):(%d%d)(.*)$")
    second = "0"
  end
  if not hour then refuse(text, "after the date comes a time like 12:34:56") end
  local fraction, zone = tail:match("^[.,](%d+)(.*)$")
  hour = in_range(text, "hour", tonumber(hour), 0, 23)
  minute = in_range(text, "minute", tonumber(minute), 0, 59)
  second = in_range(text, "second", tonumber(second), 0, 60) -- 60: a leap second
  return hour * 3600 + minute * 60 + second, fraction and tonumber("0." .. fraction), zone or tail
end

--- The moment of an ISO 8601 text. A fraction has any number of digits; the date may stand alone (its midnight).
--- Without an offset in the text there has to be one in the options, for local times mean nothing to a test.
---@param text string
---@param options? { offset?: string } "Z" or "+02:00", for texts without one
---@return number moment an integer when the text has no fraction
---@return integer offset minutes east of UTC, as written
function time.parse(text, options)
  if type(text) ~= "string" then core.usage(("time.parse: the text is a %s, not a string"):format(type(text))) end
  local year, month, day, rest = text:match("^(%d%d%d%d)%-(%d%d)%-(%d%d)(.*)$")
  if not year then year, month, day, rest = text:match("^(%d%d%d%d)(%d%d)(%d%d)(.*)$") end
  if not year then refuse(text, "it does not begin with a date like 2024-05-01") end
  year, month, day = tonumber(year), tonumber(month), tonumber(day)
  in_range(text, "month", month, 1, 12)
  in_range(text, "day", day, 1, days_in(year, month))
  local seconds, fraction, zone = 0, nil, rest
  if rest:find("^[Tt ]") then
    seconds, fraction, zone = clock_of(text, rest:sub(2))
  elseif rest ~= "" then
    refuse(text, "between date and time stands a 'T'")
  end
  if zone == "" then
    zone = options and options.offset or (rest == "" and "Z")
    if not zone then refuse(text, "it has no offset: 'Z' or '+02:00' is missing at its end (option 'offset')") end
  end
  local offset = offset_of(text, zone)
  local moment = days_of(year, month, day) * DAY + seconds - offset
  return fraction and moment + fraction or moment, offset // 60
end

--- Whether the text is a whole RFC 3339 date and time.
---@param text any
---@return boolean
function time.is_iso(text)
  local rest = type(text) == "string" and text:match("^%d%d%d%d%-%d%d%-%d%d[Tt ]%d%d:%d%d:%d%d(.*)$")
  local zone = rest and rest:gsub("^%.%d+", "")
  return zone and (zone:find("^[Zz]$") or zone:find("^[-+]%d%d:%d%d$")) and pcall(time.parse, text) or false
end

local function moment_of(moment, name)
  if type(moment) == "string" then return (time.parse(moment)) end
  if type(moment) ~= "number" or moment ~= moment or moment - moment ~= 0 then
    core.usage(("%s: a moment is a number or an ISO 8601 text, not %s"):format(name, tostring(moment)))
  end
  return moment
end

-- ---- moment to text

---@class itlua.time.Date
---@field year integer
---@field month integer
---@field day integer
---@field hour integer
---@field minute integer
---@field second integer
---@field fraction number    of the second
---@field weekday integer    1 is Monday
---@field yearday integer    1 is 1 January
---@field offset integer     minutes east of UTC

local function offset_minutes(offset)
  if type(offset) == "number" then return offset end
  return offset_of(offset, offset) // 60
end

--- The parts of a moment.
---@param moment? number|string now
---@param offset? string|integer "+02:00" or minutes; "Z"
---@return itlua.time.Date
function time.date(moment, offset)
  moment = moment == nil and time.now() or moment_of(moment, "time.date")
  local minutes = offset_minutes(offset or "Z")
  local whole = math.floor(moment)
  local days, rest = (whole + minutes * 60) // DAY, (whole + minutes * 60) % DAY
  local year, month, day = date_of(days)
  return {
    year = year, month = month, day = day, hour = rest // 3600, minute = rest % 3600 // 60, second = rest % 60,
    fraction = moment - whole, weekday = (days + 3) % 7 + 1, yearday = days - days_of(year, 1, 1) + 1, offset = minutes,
  }
end

---@class itlua.time.IsoOptions
---@field digits? integer         of the second's fraction, 0 to 9; 3
---@field offset? string|integer  "Z" (the default), "+02:00", or minutes

--- The ISO 8601 text of a moment, as RFC 3339 has it. The fraction is cut, not rounded, as clocks do.
---@param moment? number|string now
---@param options? itlua.time.IsoOptions
---@return string
function time.iso(moment, options)
  local digits = options and options.digits or 3
  if math.type(digits) ~= "integer" or digits < 0 or digits > 9 then core.usage("time.iso: digits is 0 to 9") end
  moment = moment == nil and time.now() or moment_of(moment, "time.iso")
  local minutes = offset_minutes(options and options.offset or "Z")
  local whole = math.floor(moment)
  -- A float of today has microseconds and not much more; what is below is noise.
  local micros = math.floor((moment - whole) * 1e6 + 0.5)
  if micros >= 1000000 then whole, micros = whole + 1, 0 end
  local fraction = digits > 6 and micros * 10 ^ (digits - 6) // 1 | 0 or micros // (10 ^ (6 - digits)) | 0
  local d = time.date(whole, minutes)
  if d.year < 0 or d.year > 9999 then core.usage(("time.iso: the year %d has no four digits"):format(d.year)) end
  local text = ("%04d-%02d-%02dT%02d:%02d:%02d"):format(d.year, d.month, d.day, d.hour, d.minute, d.second)
  if digits > 0 then text = text .. ("." .. "%0" .. digits .. "d"):format(fraction) end
  if minutes == 0 then return text .. "Z" end
  local east = math.abs(minutes)
  return ("%s%s%02d:%02d"):format(text, minutes < 0 and "-" or "+", east // 60, east % 60)
end

local WEEKDAYS = { "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun" }
local MONTHS = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" }

--- The text of a moment as HTTP headers have it: "Sun, 06 Nov 1994 08:49:37 GMT".
---@param moment? number|string now
---@return string
function time.http(moment)
  local d = time.date(moment)
  return ("%s, %02d %s %04d %02d:%02d:%02d GMT"):format(WEEKDAYS[d.weekday], d.day, MONTHS[d.month], d.year, d.hour,
    d.minute, d.second)
end

--- The moment of a date in an HTTP header, in any of the three forms that RFC 9110 has.
---@param text string
---@return integer moment
function time.parse_http(text)
  if type(text) ~= "string" then core.usage(("time.parse_http: the text is a %s"):format(type(text))) end
  local day, month, year, clock = text:match("^%a%a%a, (%d%d) (%a%a%a) (%d%d%d%d) (%d%d:%d%d:%d%d) GMT$")
  if not day then
    day, month, year, clock = text:match("^%a+day, (%d%d)%-(%a%a%a)%-(%d%d) (%d%d:%d%d:%d%d) GMT$")
    if day then year = (tonumber(year) < 70 and "20" or "19") .. year end
  end
  if not day then month, day, clock, year = text:match("^%a%a%a (%a%a%a) ([ %d]%d) (%d%d:%d%d:%d%d) (%d%d%d%d)$") end
  for number, name in ipairs(MONTHS) do
    if name == month then
      return (time.parse(("%s-%02d-%02dT%sZ"):format(year, number, tonumber(day), clock)))
    end
  end
  core.raise("time", "SYNTAX", ("'%s' is no date of an HTTP header"):format(text), { text = text })
end

-- ---- arithmetic

local UNITS = { seconds = 1, minutes = 60, hours = 3600, days = DAY, weeks = 7 * DAY, milliseconds = 0.001 }

--- A duration: time.duration { hours = 1, minutes = 30 } is 5400.
---@param parts number|table<"weeks"|"days"|"hours"|"minutes"|"seconds"|"milliseconds", number>
---@return number seconds
function time.duration(parts)
  if type(parts) == "number" then return parts end
  if type(parts) ~= "table" then core.usage(("a duration is a number or a table, not a %s"):format(type(parts))) end
  local sum = 0
  for unit, count in pairs(parts) do
    if not UNITS[unit] or type(count) ~= "number" then
      core.usage(("a duration has numbers of weeks, days, hours, minutes, seconds, milliseconds; not '%s'"):format(
        tostring(unit)))
    end
    sum = sum + count * UNITS[unit]
  end
  return sum
end

--- The moment a duration before now.
---@param duration number|table see time.duration
---@return number moment
function time.ago(duration)
  return time.now() - time.duration(duration)
end

--- The moment a duration after now.
---@param duration number|table see time.duration
---@return number moment
function time.from_now(duration)
  return time.now() + time.duration(duration)
end

--- How long it is from one moment to another; negative when they come the other way round.
---@param from number|string
---@param to? number|string now
---@return number seconds
function time.between(from, to)
  return (to == nil and time.now() or moment_of(to, "time.between")) - moment_of(from, "time.between")
end

--- Whether two moments are not more than some seconds apart.
---@param a number|string
---@param b? number|string now
---@param tolerance? number|table 1 second
---@return boolean
function time.near(a, b, tolerance)
  return math.abs(time.between(a, b)) <= time.duration(tolerance or 1)
end

return time
