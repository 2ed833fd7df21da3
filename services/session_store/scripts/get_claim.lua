#!lua flags=no-writes
-- ARGV: run.
if missing() then return {'MISSING'} end
if redis.call('HEXISTS', CLAIMS, ARGV[1] .. ':state') == 0 then return {'NO_CLAIM'} end
return claim(ARGV[1], 0)
