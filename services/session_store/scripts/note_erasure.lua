#!lua
-- KEYS: record, sessions. ARGV: milliseconds that both stay, count of fields and values, those, erased
-- sessions. Reply: how many sessions were erased so far.
local count = tonumber(ARGV[2])
if count > 0 then redis.call('HSET', KEYS[1], unpack(ARGV, 3, 2 + count)) end
if #ARGV > 2 + count then redis.call('SADD', KEYS[2], unpack(ARGV, 3 + count)) end
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[1]) end
return redis.call('SCARD', KEYS[2])
