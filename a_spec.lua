describe("a", function() it("b", function() end) end)
