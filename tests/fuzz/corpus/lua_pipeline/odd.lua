local p = millrace.pipeline{name = "x", [1] = 2, name = {}}
for i = 1, 3 do p:node("n" .. i, "probe.media", setmetatable({from = {[i] = p}}, {__index = error})) end
p:input("a", {}) p:input("a", {}) p:output("o", p:input("b", {type = "media"}))