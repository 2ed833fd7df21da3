#!lua
-- ARGV: epoch, most events of a journal, '1' if the last event ends the session, '1' if the session as
-- it stands then is asked for, then id and body of each event.
if missing() then return {'MISSING'} end
local refused = fence(tonumber(ARGV[1]))
if refused then return refused end
local there, fresh = {}, {}
for i = 5, #ARGV, 2 do
  local sequence = redis.call('HGET', IDS, ARGV[i])
  if sequence then
    table.insert(there, sequence)
    table.insert(there, redis.call('LINDEX', JOURNAL, sequence - 1))
  else
    table.insert(fresh, i)
  end
end
local last = redis.call('LLEN', JOURNAL)
if #fresh > 0 then
  if has_ended() then return {'ENDED'} end
  if last + #fresh > tonumber(ARGV[2]) then return {'TOO_MANY', last} end
  local now = now_ms()
  for _, i in ipairs(fresh) do append(ARGV[1], now, ARGV[i], ARGV[i + 1]) end
  last = last + #fresh
  if ARGV[3] == '1' and fresh[#fresh] == #ARGV - 1 then redis.call('HSET', SESSION, 'ended', now) end
end
touch()
if ARGV[4] == '1' then
  return {'OK', last, there, redis.call('HGETALL', SESSION), redis.call('HGETALL', CONTEXT)}
end
return {'OK', last, there}
