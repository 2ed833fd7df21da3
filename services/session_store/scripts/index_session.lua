#!lua
-- KEYS: due, created, created of the tenant if it has one. ARGV: session, ttl and life of the index
-- in milliseconds. Written before the session, so that none is unknown to the index.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('ZADD', KEYS[1], 'NX', string.format('%.0f', now + tonumber(ARGV[2])), ARGV[1])
for i = 2, #KEYS do redis.call('ZADD', KEYS[i], 'NX', string.format('%.0f', now), ARGV[1]) end
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[3]) end
return {'OK'}
