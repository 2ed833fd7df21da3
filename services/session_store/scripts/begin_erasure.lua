#!lua
-- KEYS: record. ARGV: milliseconds that it stays, fields and values of a new one.
-- Reply: the record, which is an earlier one if the erasure began before.
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('HSET', KEYS[1], unpack(ARGV, 2))
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
end
return redis.call('HGETALL', KEYS[1])
