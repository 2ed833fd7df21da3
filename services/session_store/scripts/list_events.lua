#!lua flags=no-writes
-- ARGV: after this sequence, most events, most bytes, up to this sequence or 0.
-- Reply: the last sequence, whether the session has ended, the events.
if missing() then return {'MISSING'} end
local after, limit, bytes = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local last, ended = redis.call('LLEN', JOURNAL), has_ended() and 1 or 0
local upto = math.min(last, after + limit)
if ARGV[4] ~= '0' then upto = math.min(upto, tonumber(ARGV[4])) end
if upto <= after then return {'OK', last, ended, {}} end
local found, page = redis.call('LRANGE', JOURNAL, after, upto - 1), {}
for i, entry in ipairs(found) do
  bytes = bytes - #entry
  if bytes < 0 and i > 1 then break end
  page[i] = entry
end
return {'OK', last, ended, page}
