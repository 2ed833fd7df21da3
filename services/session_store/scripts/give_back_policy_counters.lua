#!lua flags=allow-oom
-- KEYS: the runs of one subject. ARGV: request_id.
redis.call('HDEL', KEYS[1], ARGV[1])
return {'OK'}
