#!lua
-- ARGV: address, request_id, ttl in milliseconds, '1' to take it from a living owner, OwnerChanged.
-- Reply: the new epoch and expiry, then address, epoch and expiry of the owner before, if any.
local REMEMBERED = 16
if missing() then return {'MISSING'} end
local epoch = current_epoch()
local found = redis.call('HMGET', SESSION, 'address', 'owner_expiry')
local address, expiry = found[1], found[2]
for old = math.max(1, epoch - REMEMBERED + 1), epoch do
  if redis.call('HGET', SESSION, 'take:' .. old) == ARGV[2] then
    if old < epoch or not address then return {'SUPERSEDED', epoch} end
    return {'OK', epoch, expiry}
  end
end
if has_ended() then return {'ENDED'} end
local now = now_ms()
local alive = address and address ~= ARGV[1] and tonumber(expiry) > tonumber(now)
if alive and ARGV[4] ~= '1' then return {'OWNED', address, epoch} end
local previous = address and {address, epoch, expiry} or {}
epoch = epoch + 1
local until_ms = later(now, ARGV[3])
redis.call('HSET', SESSION, 'epoch', epoch, 'address', ARGV[1], 'owner_expiry', until_ms,
  'take:' .. epoch, ARGV[2])
redis.call('HDEL', SESSION, 'take:' .. (epoch - REMEMBERED))
append(epoch, now, 'owner/' .. epoch, ARGV[5])
touch()
return {'OK', epoch, until_ms, unpack(previous)}
