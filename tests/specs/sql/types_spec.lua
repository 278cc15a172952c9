-- Values: PostgreSQL's to Lua's and back, exactly.
local json = require "itlua.json"
local null = require "itlua.null"
local postgres = require "tests.specs.sql.support.postgres"
local sql = require "itlua.sql"

describe("sql types", function()
  local server, db

  setup(function()
    server = postgres.start()
    db = sql.connect(server:url())
    db:exec [[
      CREATE TYPE mood AS ENUM ('sad', 'ok', 'it''s "fine", {really}');
      CREATE TYPE pair AS (a int, b text);
      CREATE DOMAIN positive AS int CHECK (value > 0);
      CREATE DOMAIN very_positive AS positive CHECK (value > 10);
      CREATE DOMAIN numbers AS int[];
      CREATE DOMAIN document AS jsonb;
      CREATE TYPE float_range AS RANGE (subtype = float8);
    ]]
  end)

  teardown(function()
    db:close()
    server:stop()
  end)

  local function decoded(text, sql_type)
    return db:value(("SELECT %s::%s"):format(text, sql_type))
  end

  -- What Lua sends comes back, and is what the server has.
  local function round_trip(sql_type, value)
    local back = db:value(("SELECT $1::%s"):format(sql_type), value)
    assert.same(value, back, sql_type)
    assert.equal(math.type(value), math.type(back), sql_type)
  end

  it("integers are exact", function()
    assert.equal(-32768, decoded("'-32768'", "int2"))
    assert.equal(2147483647, decoded("2147483647", "int4"))
    assert.equal(math.mininteger, decoded("'-9223372036854775808'", "int8"))
    assert.equal(math.maxinteger, decoded("9223372036854775807", "int8"))
    assert.equal(9007199254740993, db:value("SELECT $1::int8", 9007199254740993))
    assert.equal("integer", math.type(decoded("1", "int2")))
    assert.equal(4294967295, decoded("4294967295", "oid"))
    for _, value in ipairs { 0, 1, -1, math.maxinteger, math.mininteger, 1 << 53, (1 << 53) + 1 } do
      round_trip("int8", value)
    end
  end)

  it("a whole float is an integer where one is wanted, any other is refused", function()
    assert.equal(3, db:value("SELECT $1::int", 3.0))
    assert.equal(-1, db:value("SELECT $1::int8", -1.0))
    assert.raises({ code = "22P02" }, function() db:value("SELECT $1::int", 3.5) end)
    assert.raises({ code = "22003" }, function() db:value("SELECT $1::int2", 40000) end)
  end)

  it("numeric is text, exact", function()
    assert.equal("12.50", decoded("12.50", "numeric"))
    assert.equal("123456789012345678901234567890.000000000001",
      decoded("123456789012345678901234567890.000000000001", "numeric"))
    assert.equal("NaN", decoded("'NaN'", "numeric"))
    assert.equal("0.1", db:value("SELECT $1::numeric", 0.1))
    assert.equal("9007199254740993", db:value("SELECT $1::numeric", 9007199254740993))
    assert.equal("100000000000000000000", db:value("SELECT $1::numeric", 1e20))
    round_trip("numeric", "-0.50")
    round_trip("numeric(10,2)", "12345678.90")
  end)

  it("floats are floats", function()
    assert.equal("float", math.type(decoded("1", "float8")))
    assert.equal(0.1, decoded("0.1", "float8"))
    assert.equal(0.1, decoded("0.1", "float4"))
    assert.equal(math.huge, decoded("'Infinity'", "float8"))
    assert.equal(-math.huge, decoded("'-Infinity'", "float4"))
    local nan = decoded("'NaN'", "float8")
    assert.is_true(nan ~= nan)
    for _, value in ipairs { 0.0, -1.5, 1 / 3, 5e-324, 1.7976931348623157e308, 2.0 ^ 53 + 2, math.pi, math.huge } do
      round_trip("float8", value)
    end
    nan = db:value("SELECT $1::float8", 0 / 0)
    assert.is_true(nan ~= nan)
    assert.equal("-0", db:value("SELECT ($1::float8)::text", -0.0))
  end)

  it("truth values are truth values", function()
    round_trip("bool", true)
    round_trip("bool", false)
    assert.equal("true", db:value("SELECT $1::text", true))
  end)

  it("text is text", function()
    for _, value in ipairs { "", "a", "é€𝄞", "it's \"quoted\" \\ \n\t", "\1\2\127", ("x"):rep(100000) } do
      round_trip("text", value)
      round_trip("varchar", value)
    end
    assert.equal("ab   ", decoded("'ab'", "char(5)"))
    assert.equal("x", decoded("'x'", '"char"'))
    assert.equal("12", db:value("SELECT $1::text", 12))
    assert.equal("1.5", db:value("SELECT $1::text", 1.5))
  end)

  it("bytea is bytes", function()
    local all = {}
    for i = 0, 255 do all[#all + 1] = string.char(i) end
    local bytes = table.concat(all)
    round_trip("bytea", bytes)
    round_trip("bytea", "")
    round_trip("bytea", "\\x41")
    assert.equal(256, db:value("SELECT length($1::bytea)", bytes))
    db:exec "SET bytea_output = escape"
    assert.equal(bytes .. "\\", db:value("SELECT $1::bytea", bytes .. "\\"))
    db:exec "RESET bytea_output"
  end)

  it("UUIDs are text", function()
    round_trip("uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")
  end)

  it("dates and times are ISO text, in UTC", function()
    assert.equal("2024-05-01", decoded("'2024-05-01'", "date"))
    assert.equal("13:14:15.000001", decoded("'13:14:15.000001'", "time"))
    assert.equal("2024-05-01 12:00:00", decoded("'2024-05-01 12:00'", "timestamp"))
    assert.equal("2024-05-01 10:00:00+00", decoded("'2024-05-01T12:00:00+02:00'", "timestamptz"))
    assert.equal("P1Y2M3DT4H5M6.7S", decoded("'1 year 2 months 3 days 4 hours 5 min 6.7 sec'", "interval"))
    assert.equal("infinity", decoded("'infinity'", "timestamptz"))
    round_trip("date", "2024-02-29")
    round_trip("date", "0044-03-15 BC")
    round_trip("timestamptz", "2024-05-01 10:00:00.123456+00")
    round_trip("timetz", "10:00:00+05:30")
    round_trip("interval", "PT-1.5S")
  end)

  it("times are in another zone where that is asked for", function()
    local berlin <close> = sql.connect { url = server:url(), timezone = "Europe/Berlin" }
    assert.equal("2024-05-01 12:00:00+02", berlin:value("SELECT $1::timestamptz", "2024-05-01 10:00:00Z"))
    local servers <close> = sql.connect { url = server:url(), timezone = false, settings = { timezone = "Asia/Tokyo" } }
    assert.equal("2024-05-01 19:00:00+09", servers:value("SELECT $1::timestamptz", "2024-05-01 10:00:00Z"))
  end)

  it("json and jsonb are values", function()
    assert.same({ a = { 1, 2.5, "x", null, true }, b = {} }, decoded([['{"a":[1,2.5,"x",null,true],"b":{}}']], "jsonb"))
    assert.equal(9007199254740993, decoded("'9007199254740993'", "jsonb"))
    assert.equal("text", decoded([['"text"']], "json"))
    assert.equal(null, decoded("'null'", "jsonb"))
    for _, sql_type in ipairs { "json", "jsonb" } do
      round_trip(sql_type, { a = 1, nested = { list = { 1, { x = null } }, empty = json.array {} } })
      round_trip(sql_type, { 1, 2, 3 })
      round_trip(sql_type, "a string, \"quoted\"")
      round_trip(sql_type, 42)
      round_trip(sql_type, 1.5)
      round_trip(sql_type, false)
    end
    assert.equal("string", db:value("SELECT jsonb_typeof($1)", '{"a":1}'))
    assert.equal("object", db:value("SELECT jsonb_typeof($1)", sql.raw '{"a":1}'))
    assert.equal("12345678901234567890123", tostring(decoded("'12345678901234567890123'", "jsonb")))
    round_trip("document", { a = { 1 } })
  end)

  it("arrays are lists", function()
    assert.same({ 1, null, 3 }, decoded("'{1,NULL,3}'", "int[]"))
    assert.same({ "a", "NULL", "", null, 'q"\\', "x,y", "{}", " s " },
      decoded([['{a,"NULL","",NULL,"q\"\\","x,y","{}"," s "}']], "text[]"))
    assert.same({ { 1, 2 }, { 3, 4 } }, decoded("'{{1,2},{3,4}}'", "int[]"))
    assert.same({}, decoded("'{}'", "int[]"))
    for sql_type, value in pairs {
      ["int8[]"] = { 1, math.maxinteger, null, -5 }, ["text[]"] = { "a", 'b"c', "d\\e", "", "NULL", "é,{}", null, "\n" },
      ["bool[]"] = { true, false, null }, ["float8[]"] = { 1.5, -0.25, math.huge }, ["numeric[]"] = { "1.50", "2" },
      ["bytea[]"] = { "\0\1\255", "" }, ["uuid[]"] = { "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11" },
      ["jsonb[]"] = { { a = { 1, 2 } }, { 1, 2 }, "s", 5, true }, ["timestamptz[]"] = { "2024-05-01 10:00:00+00" },
      ["int4[][]"] = { { 1, 2 }, { 3, null } }, ["text[][][]"] = { { { "a", "b" } }, { { "c", "d" } } },
      ["box[]"] = { "(1,1),(0,0)", "(2,2),(1,1)" }, ["int4range[]"] = { "[1,5)", "empty" },
      ["mood[]"] = { "sad", 'it\'s "fine", {really}', null }, ["positive[]"] = { 1, 2 }, ["pair[]"] = { '(1,"a b")' },
      ["numbers"] = { 1, 2, 3 },
    } do
      round_trip(sql_type, value)
    end
    round_trip("int[]", {})
  end)

  it("an array keeps bounds that are not 1", function()
    local list = decoded("'[0:2]={1,2,3}'", "int[]")
    assert.same({ 1, 2, 3 }, list)
    assert.equal("[0:2]={1,2,3}", db:value("SELECT ($1::int[])::text", list))
    local nested = decoded("'[-1:0][5:5]={{a},{b}}'", "text[]")
    assert.same({ { "a" }, { "b" } }, nested)
    assert.equal("[-1:0][5:5]={{a},{b}}", db:value("SELECT ($1::text[])::text", nested))
  end)

  it("an array has no holes and no other keys", function()
    assert.has.errors(function() db:value("SELECT $1::int[]", { 1, nil, 3 }) end)
    assert.has.errors(function() db:value("SELECT $1::int[]", { a = 1 }) end)
    assert.has.errors(function() db:value("SELECT $1::int[]", { print }) end)
    assert.raises({ code = "22P02" }, function() db:value("SELECT $1::int[]", { "x" }) end)
    assert.same({ 1, 2 }, db:value("SELECT $1::int[]", "{1,2}"))
  end)

  it("enums, domains, composites and ranges are what they look like", function()
    local row = db:one [[SELECT 'ok'::mood AS m, 5::positive AS p, 11::very_positive AS v, ROW(1, 'x y')::pair AS c,
      '[1,5)'::int4range AS r, '[1.5,2.5)'::float_range AS f, '{[1,2),[5,6)}'::int4multirange AS mr]]
    assert.same({ m = "ok", p = 5, v = 11, c = '(1,"x y")', r = "[1,5)", f = "[1.5,2.5)", mr = "{[1,2),[5,6)}" }, row)
    round_trip("mood", "sad")
    round_trip("positive", 7)
    round_trip("very_positive", 12)
    round_trip("pair", '(1,"x y")')
    round_trip("int4range", "[1,5)")
    round_trip("tstzrange", '["2024-05-01 00:00:00+00","2024-05-02 00:00:00+00")')
    round_trip("float_range", "[1.5,2.5)")
    assert.raises({ code = "22P02" }, function() db:value("SELECT $1::mood", "happy") end)
    assert.raises({ code = "23514", constraint = "positive_check" }, function() db:value("SELECT $1::positive", -1) end)
  end)

  it("types of the user's have their names", function()
    local rows = db:query "SELECT 'ok'::mood AS a, ARRAY['ok'::mood] AS b, ROW(1,'x')::pair AS c, ARRAY[5::positive] AS d"
    assert.same({ "mood", "mood[]", "pair", "positive[]" }, rows.types)
  end)

  it("other types are the server's text", function()
    assert.equal("192.168.0.0/24", decoded("'192.168.0.0/24'", "cidr"))
    assert.equal("(1,2)", decoded("'(1,2)'", "point"))
    assert.equal("101", decoded("B'101'", "bit(3)"))
    assert.equal("'a' 'cat'", decoded("'a cat'", "tsvector"))
    assert.equal("<a/>", decoded("'<a/>'", "xml"))
    assert.equal("pg_class", decoded("'pg_class'", "regclass"))
    assert.equal("", db:value "SELECT pg_sleep(0)")
  end)

  it("NULL is itlua.null, in any type", function()
    for _, sql_type in ipairs { "int", "text", "bytea", "jsonb", "int[]", "numeric", "mood", "timestamptz", "bool" } do
      assert.equal(null, db:value(("SELECT NULL::%s"):format(sql_type)))
      assert.equal(null, db:value(("SELECT $1::%s"):format(sql_type), null))
    end
    assert.equal(sql.null, null)
  end)

  it("an object with a text of its own is sent as that", function()
    local decimal = setmetatable({}, { __tostring = function() return "12.50" end })
    assert.equal("12.50", db:value("SELECT $1::numeric", decimal))
    assert.same({ "12.50" }, db:value("SELECT $1::numeric[]", { decimal }))
    assert.has.errors(function() db:value("SELECT $1::text", {}) end)
    assert.has.errors(function() db:value("SELECT $1::text", print) end)
  end)

  -- ---- properties

  local random = math.random

  local function text()
    local alphabet = { "a", "B", "é", "€", "𝄞", '"', "\\", "'", ",", "{", "}", " ", "\n", "\t", "NULL", "1", ":", "[", "]" }
    local parts = {}
    for i = 1, random(0, 12) do parts[i] = alphabet[random(#alphabet)] end
    return table.concat(parts)
  end

  local function bytes()
    local parts = {}
    for i = 1, random(0, 20) do parts[i] = string.char(random(0, 255)) end
    return table.concat(parts)
  end

  local function integer()
    local shift = random(0, 63)
    return (random(0) >> shift) * (random(2) == 1 and 1 or -1)
  end

  local function float()
    local value
    repeat value = string.unpack("d", string.pack("i8", random(0))) until value == value
    return value
  end

  local function decimal()
    local digits = {}
    for i = 1, random(1, 40) do digits[i] = random(0, 9) end
    local whole = table.concat(digits):gsub("^0+", "")
    local fraction = random(2) == 1 and ("." .. random(0, 999999)) or ""
    local number = (whole == "" and "0" or whole) .. fraction
    return (random(2) == 1 and number:find "[1-9]" and "-" or "") .. number
  end

  local document
  local function json_value(depth)
    local kind = random(depth > 3 and 5 or 7)
    if kind == 1 then return integer() end
    if kind == 2 then return text() end
    if kind == 3 then return random(2) == 1 end
    if kind == 4 then return null end
    if kind == 5 then return random(-1000, 1000) / 8 end
    return document(depth)
  end

  function document(depth)
    local value = {}
    if random(2) == 1 then
      for i = 1, random(1, 4) do value[i] = json_value(depth + 1) end
    else
      for _ = 1, random(1, 4) do value["k" .. text()] = json_value(depth + 1) end
    end
    return value
  end

  local function list(of, depth)
    return function()
      local function build(level, sizes)
        local items = {}
        for i = 1, sizes[level] do
          if level < #sizes then items[i] = build(level + 1, sizes)
          else items[i] = random(8) == 1 and null or of() end
        end
        return items
      end
      local sizes = {}
      for i = 1, depth do sizes[i] = random(1, 3) end
      return build(1, sizes)
    end
  end

  local generators = {
    int8 = integer, float8 = float, numeric = decimal, text = text, bytea = bytes,
    bool = function() return random(2) == 1 end,
    jsonb = function() return document(0) end, json = function() return document(0) end,
    ["int8[]"] = list(integer, 1), ["text[]"] = list(text, 1), ["float8[]"] = list(float, 1),
    ["bytea[]"] = list(bytes, 1), ["numeric[]"] = list(decimal, 1),
    ["bool[]"] = list(function() return random(2) == 1 end, 1),
    ["jsonb[]"] = list(function() return document(0) end, 1),
    ["text[][]"] = list(text, 2), ["int8[][][]"] = list(integer, 3),
  }

  for sql_type, generate in pairs(generators) do
    it("what is encoded is decoded again: " .. sql_type, function()
      for _ = 1, 150 do round_trip(sql_type, generate()) end
    end)
  end

  -- The other way: what the server writes, read and sent back, is the same for the server.
  local sources = {
    int8 = "((random() - 0.5) * 1e18)::int8 >> (random() * 60)::int", int2 = "((random() - 0.5) * 65535)::int2",
    float8 = "(random() - 0.5) * 10 ^ (random() * 600 - 300)",
    float4 = "((random() - 0.5) * 10 ^ (random() * 60 - 30))::float4",
    numeric = "round(((random() - 0.5) * 10 ^ (random() * 30))::numeric, (random() * 20)::int)",
    text = "(SELECT string_agg(chr(1 + (random() * 53248 + i)::int), '') FROM generate_series(1, 10) i)",
    bytea = "decode(md5(random()::text), 'hex')", uuid = "gen_random_uuid()",
    timestamptz = "to_timestamp((random() - 0.3) * 1e11)", date = "'2000-01-01'::date + ((random() - 0.5) * 1e6)::int",
    interval = "make_interval(months => ((random() - 0.5) * 100)::int, days => ((random() - 0.5) * 100)::int, "
      .. "secs => (random() - 0.5) * 1e6)",
    jsonb = "jsonb_build_object('n', random(), 't', md5(random()::text), 'l', jsonb_build_array(1, null, true))",
    ["float8[]"] = "ARRAY[random(), NULL, 1e300 * random()]",
    ["text[]"] = "ARRAY[chr(1 + (random() * 120)::int), NULL, 'NULL', chr(1 + (random() * 120)::int) || '\"\\']",
    ["int4range"] = "int4range((random() * 100)::int, 100 + (random() * 100)::int)",
    ["mood[]"] = "ARRAY['sad', NULL, 'it''s \"fine\", {really}']::mood[]",
    ["timestamptz[]"] = "ARRAY[now(), 'infinity', to_timestamp(random() * 1e9)]",
  }

  for sql_type, source in pairs(sources) do
    it("what is decoded is encoded again: " .. sql_type, function()
      db:exec(("CREATE TEMP TABLE mirror (id int, v %s)"):format(sql_type))
      db:exec(("CREATE TEMP TABLE original AS SELECT g AS id, (%s)::%s AS v FROM generate_series(1, 100) g")
        :format(source, sql_type))
      for _, row in ipairs(db:query "SELECT id, v FROM original") do
        db:exec("INSERT INTO mirror VALUES ($1, $2)", row.id, row.v)
      end
      assert.equal(100, db:value "SELECT count(*) FROM original JOIN mirror USING (id) WHERE original.v = mirror.v")
      db:exec "DROP TABLE mirror, original"
    end)
  end
end)
