#!lua
-- ARGV: run, token, outcome, event id, ToolAnswered.
-- Not fenced by the call's epoch, nor by the claim's expiry: what was done must be known.
if missing() then return {'MISSING'} end
local run = ARGV[1]
local found = redis.call('HMGET', CLAIMS, run .. ':state', run .. ':token')
if not found[1] then return {'NO_CLAIM'} end
if found[2] ~= ARGV[2] then return {'CLAIM_LOST'} end
if found[1] == 'DONE' then
  if redis.call('HGET', CLAIMS, run .. ':outcome') == ARGV[3] then return {'OK'} end
  return {'CLAIM_LOST'}
end
redis.call('HSET', CLAIMS, run .. ':state', 'DONE', run .. ':outcome', ARGV[3])
if not has_ended() and redis.call('HEXISTS', IDS, ARGV[4]) == 0 then
  append(current_epoch(), now_ms(), ARGV[4], ARGV[5])
end
touch()
return {'OK'}
