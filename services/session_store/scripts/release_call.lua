#!lua flags=allow-oom
-- ARGV: epoch. Giving up needs no memory, so it works when there is none.
if missing() then return {'MISSING'} end
if tonumber(ARGV[1]) == current_epoch() then
  redis.call('HDEL', SESSION, 'address', 'owner_expiry')
end
return {'OK'}
