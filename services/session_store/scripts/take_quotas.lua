#!lua
-- KEYS: counts, takes, holders, then the log of each demand's rate.
-- ARGV: request_id, holder, ttl and life of the keys in milliseconds, then of each demand: quota,
-- amount, limit, window in milliseconds or 0.
--
-- counts   hash: quota to how many are out
-- takes    hash: request_id to JSON of its holder and what it holds, quota to amount
-- holders  sorted set: holder by the time at which it counts as dead
-- a log    sorted set: '{request_id} {amount}' by time
local COUNTS, TAKES, HOLDERS = KEYS[1], KEYS[2], KEYS[3]
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local function whole(number) return string.format('%.0f', number) end

-- What holders that died have taken comes back here, at the next that asks.
local dead = redis.call('ZRANGEBYSCORE', HOLDERS, '-inf', whole(now))
if #dead > 0 then
  local gone = {}
  for _, holder in ipairs(dead) do gone[holder] = true end
  local takes = redis.call('HGETALL', TAKES)
  for i = 1, #takes, 2 do
    local take = cjson.decode(takes[i + 1])
    if gone[take.holder] then
      for quota, amount in pairs(take.held) do redis.call('HINCRBY', COUNTS, quota, -amount) end
      redis.call('HDEL', TAKES, takes[i])
    end
  end
  redis.call('ZREM', HOLDERS, unpack(dead))
end

if redis.call('HEXISTS', TAKES, ARGV[1]) == 1 then return {'OK'} end
local held, logged = {}, {}
for i = 5, #ARGV, 4 do
  local quota, amount = ARGV[i], tonumber(ARGV[i + 1])
  local limit, window = tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3])
  if window == 0 then
    local out = tonumber(redis.call('HGET', COUNTS, quota) or '0')
    if out + amount > limit then return {'EXHAUSTED', quota, 1000} end
    held[quota] = amount
  else
    local log = KEYS[4 + (i - 5) / 4]
    redis.call('ZREMRANGEBYSCORE', log, '-inf', whole(now - window))
    local taken = 0
    local entries = redis.call('ZRANGE', log, 0, -1, 'WITHSCORES')
    for k = 1, #entries, 2 do taken = taken + tonumber(string.match(entries[k], '(%d+)$')) end
    if taken + amount > limit then
      local oldest = tonumber(entries[2] or whole(now))
      return {'EXHAUSTED', quota, oldest + window - now + 1}
    end
    table.insert(logged, {log, amount, window})
  end
end
for quota, amount in pairs(held) do redis.call('HINCRBY', COUNTS, quota, amount) end
for _, entry in ipairs(logged) do
  redis.call('ZADD', entry[1], whole(now), ARGV[1] .. ' ' .. whole(entry[2]))
  redis.call('PEXPIRE', entry[1], whole(entry[3]))
end
redis.call('HSET', TAKES, ARGV[1], cjson.encode({holder = ARGV[2], held = held}))
redis.call('ZADD', HOLDERS, 'GT', whole(now + tonumber(ARGV[3])), ARGV[2])
for i = 1, 3 do redis.call('PEXPIRE', KEYS[i], ARGV[4]) end
return {'OK'}
