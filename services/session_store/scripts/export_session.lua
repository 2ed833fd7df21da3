#!lua flags=no-writes
-- ARGV: milliseconds that a session stays after its end.
-- Reply: GONE, or ERASED and the tenant, or WAIT and when it is due, or OVER and all that is kept of it.
local found = redis.call('HMGET', SESSION, 'expires', 'ended', 'erased', 'tenant')
if found[3] then return {'ERASED', found[4]} end
if not found[1] then return {'GONE'} end
local now = tonumber(now_ms())
local due = tonumber(found[1])
if found[2] then due = math.min(due, tonumber(found[2]) + tonumber(ARGV[1])) end
if due > now then return {'WAIT', string.format('%.0f', due)} end
return {
  'OVER',
  redis.call('HGETALL', SESSION),
  redis.call('HGETALL', CONTEXT),
  redis.call('LLEN', JOURNAL),
  redis.call('LRANGE', JOURNAL, 0, -1),
  redis.call('HGET', VERIFIED, 'etag'),
  redis.call('HGET', VERIFIED, 'record'),
}
