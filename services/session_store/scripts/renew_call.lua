#!lua
-- ARGV: epoch, ttl in milliseconds.
if missing() then return {'MISSING'} end
local refused = fence(tonumber(ARGV[1]))
if refused then return refused end
local address = redis.call('HGET', SESSION, 'address')
if not address then return {'SUPERSEDED', ARGV[1]} end
local until_ms = later(now_ms(), ARGV[2])
redis.call('HSET', SESSION, 'owner_expiry', until_ms)
touch()
return {'OK', address, until_ms}
