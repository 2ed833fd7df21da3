#!lua flags=no-writes
if missing() then return {'MISSING'} end
return snapshot()
