local t = {} t.t = t
millrace.pipeline{}:param("x", {default = t})