#!lua
-- ARGV: run, fingerprint, holder, epoch, '1' if it may be run again, ttl in milliseconds, token,
-- most fields of claims.
if missing() then return {'MISSING'} end
local run, now = ARGV[1], now_ms()
local found = redis.call('HMGET', CLAIMS, run .. ':state', run .. ':fingerprint', run .. ':expires',
  run .. ':token')
local state, fingerprint, expires, token = found[1], found[2], found[3], found[4]
if fingerprint and fingerprint ~= ARGV[2] then return {'REUSED'} end
-- The answer to this very claim was lost on its way, and it is sent again.
if token == ARGV[7] then return claim(run, 1) end
local refused = fence(tonumber(ARGV[4]))
if refused then return refused end
local dead = state == 'RUNNING' and tonumber(expires) <= tonumber(now)
if state and not dead then return claim(run, 0) end
if dead and ARGV[5] ~= '1' then
  redis.call('HSET', CLAIMS, run .. ':state', 'UNKNOWN')
  return claim(run, 0)
end
if has_ended() then return {'ENDED'} end
if redis.call('HLEN', CLAIMS) > tonumber(ARGV[8]) then return {'TOO_MANY', ARGV[8]} end
redis.call('HSET', CLAIMS, run .. ':state', 'RUNNING', run .. ':fingerprint', ARGV[2],
  run .. ':holder', ARGV[3], run .. ':expires', later(now, ARGV[6]), run .. ':token', ARGV[7])
touch()
return claim(run, 1)
