#!lua
-- KEYS: context, history. ARGV: ttl in milliseconds, count of context keys and values, those, count
-- of keys to remove, those, count of entry ids and entries, those, entry ids to remove.
local i = 2
local function take(key, command, step)
  local last = i + tonumber(ARGV[i])
  for k = i + 1, last, step do
    if step == 2 then redis.call(command, key, ARGV[k], ARGV[k + 1])
    else redis.call(command, key, ARGV[k]) end
  end
  i = last + 1
end
take(KEYS[1], 'HSET', 2)
take(KEYS[1], 'HDEL', 1)
take(KEYS[2], 'HSET', 2)
take(KEYS[2], 'HDEL', 1)
redis.call('PEXPIRE', KEYS[1], ARGV[1])
redis.call('PEXPIRE', KEYS[2], ARGV[1])
return 1
