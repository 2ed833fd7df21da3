#!lua flags=allow-oom
-- KEYS: counts, takes. ARGV: request_ids.
for _, request in ipairs(ARGV) do
  local take = redis.call('HGET', KEYS[2], request)
  if take then
    for quota, amount in pairs(cjson.decode(take).held) do
      redis.call('HINCRBY', KEYS[1], quota, -amount)
    end
    redis.call('HDEL', KEYS[2], request)
  end
end
return {'OK'}
