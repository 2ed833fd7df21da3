#!lua
-- ARGV: run, token, ttl in milliseconds.
if missing() then return {'MISSING'} end
local found = redis.call('HMGET', CLAIMS, ARGV[1] .. ':state', ARGV[1] .. ':token')
if not found[1] then return {'NO_CLAIM'} end
if found[1] ~= 'RUNNING' or found[2] ~= ARGV[2] then return {'CLAIM_LOST'} end
redis.call('HSET', CLAIMS, ARGV[1] .. ':expires', later(now_ms(), ARGV[3]))
touch()
return {'OK'}
