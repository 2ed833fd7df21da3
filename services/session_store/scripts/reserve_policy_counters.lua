#!lua
-- KEYS: the runs of one subject. ARGV: request_id, session, life of the key in milliseconds, most
-- runs kept, then of each counter: name, window (CALL or DAY), amount, most.
--
-- The key is a hash of request_id to '{day} {session}' and a line '{amount} {counter}' for each
-- counter. A sum is made of the runs that are kept, so that to take one out is to delete it.
local RUNS = KEYS[1]
local today = math.floor(tonumber(redis.call('TIME')[1]) / 86400)

local function whole(number) return string.format('%.0f', number) end

local counted, order = {}, {}
for i = 5, #ARGV, 4 do
  if not counted[ARGV[i]] then
    counted[ARGV[i]] = {amount = ARGV[i + 2], CALL = 0, DAY = 0}
    table.insert(order, ARGV[i])
  end
end
local lines = {ARGV[2]}
for _, name in ipairs(order) do table.insert(lines, counted[name].amount .. ' ' .. name) end
local mine = table.concat(lines, '\n')

local before = redis.call('HGET', RUNS, ARGV[1])
if before then
  if string.match(before, '^%d+ (.*)$') == mine then return {'OK'} end
  return {'REUSED'}
end

-- Calls do not outlast the day after the one they began on; what is older counts nowhere.
local runs, kept = redis.call('HGETALL', RUNS), 0
for i = 1, #runs, 2 do
  local day, session, rest = string.match(runs[i + 1], '^(%d+) ([^\n]*)(.*)$')
  if tonumber(day) < today - 1 then
    redis.call('HDEL', RUNS, runs[i])
  else
    kept = kept + 1
    for amount, name in string.gmatch(rest, '\n(%d+) ([^\n]*)') do
      local sum = counted[name]
      if sum then
        if session == ARGV[2] then sum.CALL = sum.CALL + tonumber(amount) end
        if tonumber(day) == today then sum.DAY = sum.DAY + tonumber(amount) end
      end
    end
  end
end
for i = 5, #ARGV, 4 do
  local sum = counted[ARGV[i]][ARGV[i + 1]]
  if sum + tonumber(ARGV[i + 2]) > tonumber(ARGV[i + 3]) then
    return {'REFUSED', ARGV[i], ARGV[i + 1], whole(sum)}
  end
end
if kept >= tonumber(ARGV[4]) then return {'FULL'} end
redis.call('HSET', RUNS, ARGV[1], whole(today) .. ' ' .. mine)
redis.call('PEXPIRE', RUNS, ARGV[3])
return {'OK'}
