#!lua flags=no-writes
-- ARGV: a run, whose claim is told as well if there is one.
if missing() then return {'MISSING'} end
local etag, record = unpack(redis.call('HMGET', VERIFIED, 'etag', 'record'))
if not ARGV[1] or redis.call('HEXISTS', CLAIMS, ARGV[1] .. ':state') == 0 then
  return {'OK', etag, record}
end
return {'OK', etag, record, claim(ARGV[1], 0)}
