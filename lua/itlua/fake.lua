--- Made-up data that looks real and is the same in every run with the same seed: names, addresses, texts, dates.
-- The default source draws from the run's seed and the spec file's name, so that a failure reproduces with `--seed`.

local run = require "itlua.run"

local first_names = {
  "Ada", "Alan", "Amara", "Anders", "Barbara", "Bjarne", "Carla", "Chen", "Dana", "Dennis", "Edsger", "Elif", "Fatima",
  "Frances", "Grace", "Hedy", "Ibrahim", "Ingrid", "Jamal", "Joan", "Katherine", "Ken", "Leila", "Linus", "Margaret",
  "Mateo", "Nadia", "Niklaus", "Olga", "Omar", "Priya", "Radia", "Roberto", "Shafi", "Sofia", "Tomas", "Umberto", "Vera",
  "Whitfield", "Xavier", "Yukihiro", "Zoe",
}
local last_names = {
  "Abbas", "Allen", "Backus", "Bartik", "Cerf", "Clarke", "Diaz", "Dijkstra", "Engelbart", "Estrin", "Floyd", "Goldberg",
  "Hamilton", "Hopper", "Ivanova", "Jensen", "Johnson", "Kay", "Kernighan", "Lamarr", "Lamport", "Liskov", "Lovelace",
  "McCarthy", "Moore", "Nakamura", "Nygaard", "Okafor", "Perlman", "Ritchie", "Sammet", "Shannon", "Sutherland", "Thompson",
  "Turing", "Ullman", "Vaughan", "Wilkes", "Wirth", "Yao", "Zuse",
}
local streets = { "Acacia Avenue", "Bridge Street", "Church Lane", "Elm Street", "Garden Road", "High Street", "Hill Road",
  "Lake View", "Market Square", "Mill Lane", "North Street", "Park Avenue", "Queen Street", "River Road", "Station Road" }
local cities = {
  { "Aarhus", "DK" }, { "Bologna", "IT" }, { "Cork", "IE" }, { "Dresden", "DE" }, { "Edinburgh", "GB" }, { "Faro", "PT" },
  { "Ghent", "BE" }, { "Haarlem", "NL" }, { "Innsbruck", "AT" }, { "Lyon", "FR" }, { "Malmö", "SE" }, { "Oulu", "FI" },
  { "Porto", "PT" }, { "Riga", "LV" }, { "Seville", "ES" }, { "Tartu", "EE" }, { "Utrecht", "NL" }, { "Vilnius", "LT" },
}
local companies = { "Analytical Engines", "Blue Harbour", "Copper & Sons", "Deep Field", "Evergreen", "Fjord Works", "Granite",
  "Halcyon", "Iron Bridge", "Juniper", "Kestrel", "Lighthouse", "Meridian", "North Star", "Orchard", "Pinewood" }
local words = {}
for word in ([[lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt ut labore et dolore
  magna aliqua enim ad minim veniam quis nostrud exercitation ullamco laboris nisi aliquip ex ea commodo consequat duis aute
  irure in reprehenderit voluptate velit esse cillum fugiat nulla pariatur]]):gmatch("%a+") do
  words[#words + 1] = word
end

---@class itlua.fake
---@field private state integer[]
local Fake = {}
Fake.__index = Fake

-- splitmix64: turns any seed into well-mixed words.
local function mix(state)
  state = state + 0x9E3779B97F4A7C15
  local z = state
  z = (z ~ (z >> 30)) * 0xBF58476D1CE4E5B9
  z = (z ~ (z >> 27)) * 0x94D049BB133111EB
  return state, z ~ (z >> 31)
end

local function seed_of(seed)
  if math.type(seed) == "integer" then return seed end
  local hash = 0xCBF29CE484222325 -- FNV-1a
  for i = 1, #seed do hash = (hash ~ seed:byte(i)) * 0x100000001B3 end
  return hash
end

local fake = {}

--- A source of its own.
---@param seed integer|string
---@return itlua.fake
function fake.new(seed)
  local state, a = mix(seed_of(seed))
  local _, b = mix(state)
  return setmetatable({ state = { a, b } }, Fake)
end

-- xoroshiro128+
local function next_word(self)
  local a, b = self.state[1], self.state[2]
  local sum = a + b
  b = b ~ a
  self.state[1] = ((a << 24) | (a >> 40)) ~ b ~ (b << 16)
  self.state[2] = (b << 37) | (b >> 27)
  return sum
end

--- A float in [0, 1).
---@return number
function Fake:random()
  return (next_word(self) >> 11) * 0x1p-53
end

--- A whole number between low and high, both included.
---@param low integer
---@param high integer
---@return integer
function Fake:integer(low, high)
  return low + math.floor(self:random() * (high - low + 1))
end

--- One element of the list.
---@generic T
---@param list T[]
---@return T
function Fake:pick(list)
  return list[self:integer(1, #list)]
end

--- True with the given probability (0.5).
---@param probability? number
---@return boolean
function Fake:boolean(probability)
  return self:random() < (probability or 0.5)
end

---@return string
function Fake:first_name()
  return self:pick(first_names)
end

---@return string
function Fake:last_name()
  return self:pick(last_names)
end

---@return string
function Fake:name()
  return self:first_name() .. " " .. self:last_name()
end

--- An address under example.com (RFC 2606: nobody's).
---@param name? string
---@return string
function Fake:email(name)
  local user = (name or self:name()):lower():gsub("[^%w]+", ".")
  return ("%s.%d@example.com"):format(user, self:integer(1, 999999))
end

---@return { street: string, city: string, postcode: string, country: string }
function Fake:address()
  local city = self:pick(cities)
  return {
    street = ("%d %s"):format(self:integer(1, 240), self:pick(streets)),
    city = city[1], country = city[2], postcode = ("%05d"):format(self:integer(1000, 99999)),
  }
end

--- A number of the range that is reserved for fiction.
---@return string
function Fake:phone()
  return ("+1-555-01%02d"):format(self:integer(0, 99))
end

---@return string
function Fake:company()
  return self:pick(companies) .. " " .. self:pick { "Ltd", "GmbH", "Inc", "SA", "AB" }
end

---@param count? integer 3
---@return string
function Fake:words(count)
  local list = {}
  for i = 1, count or 3 do list[i] = self:pick(words) end
  return table.concat(list, " ")
end

---@return string
function Fake:sentence()
  local text = self:words(self:integer(5, 12))
  return text:sub(1, 1):upper() .. text:sub(2) .. "."
end

---@param sentences? integer 3
---@return string
function Fake:paragraph(sentences)
  local list = {}
  for i = 1, sentences or 3 do list[i] = self:sentence() end
  return table.concat(list, " ")
end

--- A version 4 UUID (RFC 9562).
---@return string
function Fake:uuid()
  local a, b = next_word(self), next_word(self)
  return ("%08x-%04x-4%03x-%04x-%012x"):format(a >> 32, (a >> 16) & 0xFFFF, a & 0xFFF,
    ((b >> 48) & 0x3FFF) | 0x8000, b & 0xFFFFFFFFFFFF)
end

--- A date between two others, `2020-01-01` and `2024-12-31` unless given.
---@param from? string YYYY-MM-DD
---@param to? string
---@return string
function Fake:date(from, to)
  local function noon(text)
    local y, m, d = text:match("^(%d+)-(%d+)-(%d+)$")
    return os.time { year = y, month = m, day = d, hour = 12 }
  end
  local first, last = noon(from or "2020-01-01"), noon(to or "2024-12-31")
  return os.date("!%Y-%m-%d", first + 86400 * self:integer(0, (last - first) // 86400)) --[[@as string]]
end

--- An ISO 8601 time in UTC.
---@return string
function Fake:datetime(from, to)
  return ("%sT%02d:%02d:%02dZ"):format(self:date(from, to), self:integer(0, 23), self:integer(0, 59), self:integer(0, 59))
end

--- An amount with two decimals, exact as text.
---@param low? number 1
---@param high? number 1000
---@return string
function Fake:amount(low, high)
  local cents = self:integer(math.floor((low or 1) * 100), math.floor((high or 1000) * 100))
  return ("%d.%02d"):format(cents // 100, cents % 100)
end

--- The file's own source: the same values in every run with the same seed.
---@return itlua.fake
function fake.of_run()
  if not fake.source or fake.source_of ~= run.file then
    fake.source, fake.source_of = fake.new(("%s\0%s"):format(run.seed, run.file)), run.file
  end
  return fake.source
end

return fake
