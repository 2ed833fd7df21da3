#!lua
-- ARGV: client_id, mark of the erasure, milliseconds that the mark stays.
-- Reply: ERASED if the client was verified here, now or when this erasure came by before; else OTHER.
-- The mark keeps the session from being made anew, and tells an archiver that had read it before.
if redis.call('HGET', SESSION, 'erased') == ARGV[2] then return {'ERASED'} end
if redis.call('HGET', VERIFIED, 'client_id') ~= ARGV[1] then return {'OTHER'} end
local tenant = redis.call('HGET', SESSION, 'tenant') or ''
redis.call('UNLINK', unpack(KEYS))
redis.call('HSET', SESSION, 'erased', ARGV[2], 'tenant', tenant)
redis.call('PEXPIRE', SESSION, ARGV[3])
return {'ERASED'}
