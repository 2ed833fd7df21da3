#!lua
-- ARGV: request_id, count of session fields and values, those, context keys and values.
if redis.call('EXISTS', SESSION) == 1 then
  if redis.call('HGET', SESSION, 'request_id') == ARGV[1] then return snapshot() end
  return {'EXISTS'}
end
redis.call('UNLINK', JOURNAL, IDS, CONTEXT, VERIFIED, CLAIMS)
local now, count = now_ms(), tonumber(ARGV[2])
redis.call('HSET', SESSION, 'request_id', ARGV[1], 'created', now, 'updated', now, 'version', 1)
for i = 3, 2 + count, 2 do redis.call('HSET', SESSION, ARGV[i], ARGV[i + 1]) end
for i = 3 + count, #ARGV, 2 do redis.call('HSET', CONTEXT, ARGV[i], ARGV[i + 1]) end
touch()
return snapshot()
