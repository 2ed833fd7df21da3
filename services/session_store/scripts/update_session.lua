#!lua
-- ARGV: epoch, etag or '', write token, most context keys, ContextChanged or '', count of session
-- fields and values, those, count of context keys and values, those, context keys to remove.
if missing() then return {'MISSING'} end
-- The answer to this very write was lost on its way, and it is sent again.
if redis.call('HGET', SESSION, 'last_write') == ARGV[3] then return snapshot() end
local refused = fence(tonumber(ARGV[1]))
if refused then return refused end
if has_ended() then return {'ENDED'} end
local version = redis.call('HGET', SESSION, 'version')
if ARGV[2] ~= '' and ARGV[2] ~= version then return {'CONFLICT', version} end

local fields = tonumber(ARGV[6])
local first_key = 8 + fields
local first_gone = first_key + tonumber(ARGV[7 + fields])
local keys = redis.call('HLEN', CONTEXT)
for i = first_key, first_gone - 1, 2 do
  if redis.call('HEXISTS', CONTEXT, ARGV[i]) == 0 then keys = keys + 1 end
end
if keys > tonumber(ARGV[4]) then return {'TOO_MANY', keys} end

local now = now_ms()
redis.call('HSET', SESSION, 'updated', now, 'last_write', ARGV[3])
for i = 7, 6 + fields, 2 do redis.call('HSET', SESSION, ARGV[i], ARGV[i + 1]) end
for i = first_key, first_gone - 1, 2 do redis.call('HSET', CONTEXT, ARGV[i], ARGV[i + 1]) end
for i = first_gone, #ARGV do redis.call('HDEL', CONTEXT, ARGV[i]) end
version = redis.call('HINCRBY', SESSION, 'version', 1)
if ARGV[5] ~= '' then append(ARGV[1], now, 'context/' .. version, ARGV[5]) end
touch()
return snapshot()
