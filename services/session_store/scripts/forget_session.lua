#!lua flags=allow-oom
-- ARGV: the journal's length and the version as they were archived. What changed since stays.
-- Reply: OK, CHANGED, or ERASED and the tenant: the archive must forget it again.
local version = redis.call('HGET', SESSION, 'version')
if redis.call('HEXISTS', SESSION, 'erased') == 1 then
  return {'ERASED', redis.call('HGET', SESSION, 'tenant')}
end
if not version then return {'OK'} end
if redis.call('LLEN', JOURNAL) ~= tonumber(ARGV[1]) or version ~= ARGV[2] then return {'CHANGED'} end
redis.call('UNLINK', unpack(KEYS))
return {'OK'}
