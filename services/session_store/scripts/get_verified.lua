#!lua flags=no-writes
if missing() then return {'MISSING'} end
return {'OK', unpack(redis.call('HMGET', VERIFIED, 'etag', 'record'))}
