-- Shared by all scripts of a session. Keys of one session have one hash tag and one expiry.
--
-- SESSION  hash: scenario, active_agent, tenant, created, updated, version, ttl, request_id, ended,
--          last_write; of the call's owner: epoch, address, owner_expiry, take:{epoch}
-- JOURNAL  list: '{epoch} {milliseconds} {event id} {JournalEvent without the parts before}'
-- IDS      hash: event id to sequence
-- CONTEXT  hash: key to JSON text
-- VERIFIED hash: etag, client_id, record
local SESSION, JOURNAL, IDS, CONTEXT, VERIFIED = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]

local function now_ms()
  local time = redis.call('TIME')
  return string.format('%.0f', tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000))
end

local function missing()
  return redis.call('EXISTS', SESSION) == 0
end

local function current_epoch()
  return tonumber(redis.call('HGET', SESSION, 'epoch') or '0')
end

-- A refusal if the writer does not act for the call's latest owner, else nil.
local function fence(given)
  local current = current_epoch()
  if given < current then return {'SUPERSEDED', current} end
  if given > current then return {'EPOCH_UNKNOWN', current} end
  return nil
end

local function append(epoch, now, id, body)
  local sequence = redis.call('RPUSH', JOURNAL, epoch .. ' ' .. now .. ' ' .. id .. ' ' .. body)
  redis.call('HSET', IDS, id, sequence)
end

-- What is written to or renewed lives on; all keys of a session go at the same moment.
local function touch()
  local ttl = redis.call('HGET', SESSION, 'ttl')
  for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ttl) end
end

local function snapshot()
  return {
    'OK',
    redis.call('HGETALL', SESSION),
    redis.call('HGETALL', CONTEXT),
    redis.call('LLEN', JOURNAL),
    redis.call('PEXPIRETIME', SESSION),
  }
end
