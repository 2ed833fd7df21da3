#!lua
-- KEYS: due. ARGV: most sessions, milliseconds for which another archiver leaves them alone.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local found = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now), 'LIMIT', 0,
  ARGV[1])
local again = string.format('%.0f', now + tonumber(ARGV[2]))
for _, session in ipairs(found) do redis.call('ZADD', KEYS[1], 'XX', again, session) end
return found
