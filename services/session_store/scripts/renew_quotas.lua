#!lua
-- KEYS: counts, takes, holders. ARGV: holder, ttl and life of the keys in milliseconds.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('ZADD', KEYS[3], 'XX', 'GT', string.format('%.0f', now + tonumber(ARGV[2])), ARGV[1])
for i = 1, 3 do redis.call('PEXPIRE', KEYS[i], ARGV[3]) end
return {'OK'}
