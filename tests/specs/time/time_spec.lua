local time = require "itlua.time"

describe("time.parse", function()
  it("reads dates and times with offsets and fractions", function()
    local cases = {
      ["1970-01-01T00:00:00Z"] = 0,
      ["2024-05-01T12:34:56Z"] = 1714566896,
      ["2024-05-01t12:34:56z"] = 1714566896,
      ["2024-05-01 12:34:56Z"] = 1714566896,
      ["2024-05-01T14:34:56+02:00"] = 1714566896,
      ["2024-05-01T14:34:56+0200"] = 1714566896,
      ["2024-05-01T14:34:56+02"] = 1714566896,
      ["2024-05-01T07:04:56-05:30"] = 1714566896,
      ["2024-05-01T12:34:56-00:00"] = 1714566896,
      ["2024-05-01T12:34Z"] = 1714566840,
      ["20240501T123456Z"] = 1714566896,
      ["20240501T143456+0200"] = 1714566896,
      ["2024-05-01"] = 1714521600,
      ["2000-02-29T23:59:59Z"] = 951868799,
      ["1969-12-31T23:59:59Z"] = -1,
      ["0001-01-01T00:00:00Z"] = -62135596800,
      ["9999-12-31T23:59:59Z"] = 253402300799,
      ["2016-12-31T23:59:60Z"] = 1483228800,
      ["2038-01-19T03:14:08Z"] = 2147483648,
    }
    for text, moment in pairs(cases) do
      assert.equal(moment, (time.parse(text)), text)
      assert.equal("integer", math.type((time.parse(text))))
    end
    assert.equal(1714566896.5, (time.parse "2024-05-01T12:34:56.5Z"))
    assert.equal(1714566896.789, (time.parse "2024-05-01T12:34:56,789Z"))
    assert.equal(1714566896.123456, (time.parse "2024-05-01T12:34:56.123456Z"))
    assert.equal(1714566896.1234567, (time.parse "2024-05-01T12:34:56.123456789Z"))
  end)

  it("tells the offset", function()
    assert.equal(0, (select(2, time.parse "2024-05-01T12:34:56Z")))
    assert.equal(120, (select(2, time.parse "2024-05-01T12:34:56+02:00")))
    assert.equal(-330, (select(2, time.parse "2024-05-01T12:34:56-05:30")))
  end)

  it("takes an offset for texts without one", function()
    assert.equal(1714566896, (time.parse("2024-05-01T12:34:56", { offset = "Z" })))
    assert.equal(1714566896, (time.parse("2024-05-01T14:34:56", { offset = "+02:00" })))
    assert.equal(1714514400, (time.parse("2024-05-01", { offset = "+02:00" })))
  end)

  it("refuses the rest and says why", function()
    local cases = {
      [""] = "does not begin with a date",
      ["yesterday"] = "does not begin with a date",
      ["01.05.2024"] = "does not begin with a date",
      ["2024-5-1"] = "does not begin with a date",
      ["2024-13-01T00:00:00Z"] = "the month is 13, not 01 to 12",
      ["2023-02-29T00:00:00Z"] = "the day is 29, not 01 to 28",
      ["1900-02-29T00:00:00Z"] = "the day is 29, not 01 to 28",
      ["2024-04-31T00:00:00Z"] = "the day is 31, not 01 to 30",
      ["2024-05-00T00:00:00Z"] = "the day is 00",
      ["2024-05-01T24:00:00Z"] = "the hour is 24",
      ["2024-05-01T12:60:00Z"] = "the minute is 60",
      ["2024-05-01T12:00:61Z"] = "the second is 61",
      ["2024-05-01T12:34:56"] = "it has no offset: 'Z' or '%+02:00' is missing",
      ["2024-05-01T12"] = "a time like 12:34:56",
      ["2024-05-01X12:34:56Z"] = "between date and time stands a 'T'",
      ["2024-05-01T12:34:56+25:00"] = "the offset's hour is 25",
      ["2024-05-01T12:34:56 CET"] = "the offset ' CET' is neither 'Z' nor",
      ["2024-05-01T12:34:56."] = "the offset '%.' is neither",
      ["2024-05-01T12:34:56Zx"] = "the offset 'Zx' is neither",
    }
    for text, why in pairs(cases) do
      local ok, err = pcall(time.parse, text)
      assert.is_false(ok, text)
      assert.equal("time", err.kind)
      assert.matches(why, err.message)
    end
    assert.error_matches(function() time.parse(12) end, "time.parse: the text is a number")
  end)

  it("is undone by time.iso", function()
    for _ = 1, 2000 do
      local moment = math.random(-62135596800, 253402300799)
      assert.equal(moment, (time.parse(time.iso(moment, { digits = 0 }))))
      local minutes = math.random(-14 * 60, 14 * 60)
      moment = math.random(0, 4102444800) + math.random(0, 999) / 1000
      local text = time.iso(moment, { offset = minutes })
      assert.is_true(math.abs(moment - time.parse(text)) < 0.0011, text)
      assert.equal(os.date("!%Y-%m-%dT%H:%M:%S", moment // 1 | 0), time.iso(moment):sub(1, 19))
    end
  end)
end)

describe("time.iso", function()
  it("writes RFC 3339", function()
    assert.equal("1970-01-01T00:00:00.000Z", time.iso(0))
    assert.equal("2024-05-01T12:34:56.789Z", time.iso(1714566896.789))
    assert.equal("2024-05-01T12:34:56Z", time.iso(1714566896.789, { digits = 0 }))
    assert.equal("2024-05-01T12:34:56.789000Z", time.iso(1714566896.789, { digits = 6 }))
    assert.equal("2024-05-01T14:34:56.000+02:00", time.iso(1714566896, { offset = "+02:00" }))
    assert.equal("2024-05-01T07:04:56.000-05:30", time.iso(1714566896, { offset = -330 }))
    assert.equal("1969-12-31T23:59:59.500Z", time.iso(-0.5))
    assert.equal("2024-05-01T12:34:56.999Z", time.iso(1714566896.9995))
    assert.equal("2024-05-01T00:00:00.000Z", time.iso("2024-05-01T02:00:00+02:00"))
    assert.is_true(time.near(time.iso()))
    assert.error_matches(function() time.iso(0 / 0) end, "a moment is a number or an ISO 8601 text, not %-?nan")
    assert.error_matches(function() time.iso(1e12) end, "no four digits")
    assert.error_matches(function() time.iso(0, { digits = 10 }) end, "digits is 0 to 9")
  end)

  it("is known by time.is_iso", function()
    local good = { "2024-05-01T12:34:56Z", "2024-05-01T12:34:56.1Z", "2024-05-01T12:34:56+02:00", time.iso() }
    for _, text in ipairs(good) do
      assert.is_true(time.is_iso(text))
    end
    local bad = { "2024-05-01", "2024-05-01T12:34Z", "2024-05-01T12:34:56", "2024-02-30T12:34:56Z", "x", 12, {} }
    for _, text in ipairs(bad) do
      assert.is_false(time.is_iso(text))
    end
    assert.is_false(time.is_iso(nil))
  end)
end)

describe("time", function()
  it("goes on", function()
    assert.is_true(math.abs(time.now() - os.time()) < 2)
    local a = time.monotonic()
    assert.is_true(time.monotonic() >= a)
  end)

  it("has dates", function()
    assert.same({
      year = 2024, month = 5, day = 1, hour = 14, minute = 34, second = 56, fraction = 0.5, weekday = 3, yearday = 122,
      offset = 120,
    }, time.date(1714566896.5, "+02:00"))
    assert.equal(366, time.date("2024-12-31").yearday)
    assert.equal(7, time.date("2024-05-05").weekday)
  end)

  it("has the dates of HTTP", function()
    assert.equal("Sun, 06 Nov 1994 08:49:37 GMT", time.http(784111777))
    for _, text in ipairs {
      "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
    } do
      assert.equal(784111777, time.parse_http(text))
    end
    assert.error_matches(function() time.parse_http("Sun, 6 Nov 1994") end, "'Sun, 6 Nov 1994' is no date of an HTTP")
    assert.error_matches(function() time.parse_http("Sun, 31 Feb 1994 08:49:37 GMT") end, "the day is 31")
  end)

  it("has durations and differences", function()
    assert.equal(5400, time.duration { hours = 1, minutes = 30 })
    assert.equal(8 * 86400 + 0.5, time.duration { weeks = 1, days = 1, milliseconds = 500 })
    assert.equal(3.5, time.duration(3.5))
    assert.equal(3600, time.between("2024-05-01T12:00:00Z", "2024-05-01T15:00:00+02:00"))
    assert.equal(-1.5, time.between(10, 8.5))
    assert.is_true(math.abs(time.between(time.ago { minutes = 5 }) - 300) < 1)
    assert.is_true(math.abs(time.between(time.from_now { hours = 1 }) + 3600) < 1)
    assert.is_true(time.near("2024-05-01T12:00:00Z", "2024-05-01T12:00:01Z"))
    assert.is_false(time.near("2024-05-01T12:00:00Z", "2024-05-01T12:00:02Z"))
    assert.is_true(time.near(0, 100, { minutes = 2 }))
    assert.error_matches(function() time.duration { fortnights = 1 } end, "not 'fortnights'")
    assert.error_matches(function() time.between({}, 1) end, "a moment is a number or an ISO 8601 text")
  end)
end)
