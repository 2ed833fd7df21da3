#!lua
-- ARGV: etag that must match, the new one, client_id, record, VerifiedChanged.
if missing() then return {'MISSING'} end
local found = redis.call('HMGET', VERIFIED, 'etag', 'client_id', 'record')
local etag, client, record = found[1] or '', found[2] or '', found[3]
-- The same record again, because the answer was lost or the proof was given before: no change.
if record == ARGV[4] then return {'OK', etag, record} end
if client ~= '' and client ~= ARGV[3] then return {'CLIENT_CHANGED'} end
if etag ~= ARGV[1] then return {'CONFLICT', etag} end
if has_ended() then return {'ENDED'} end
redis.call('HSET', VERIFIED, 'etag', ARGV[2], 'client_id', ARGV[3], 'record', ARGV[4])
append(current_epoch(), now_ms(), 'verified/' .. ARGV[2], ARGV[5])
touch()
return {'OK', ARGV[2], ARGV[4]}
