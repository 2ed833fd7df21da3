-- Shared by all scripts of a session. Keys of one session have one hash tag and one expiry.
--
-- SESSION  hash: scenario, active_agent, tenant, created, updated, version, ttl, keep, expires,
--          request_id, ended, last_write; of the call's owner: epoch, address, owner_expiry,
--          take:{epoch}; of one that was erased nothing but erased and tenant
-- JOURNAL  list: '{epoch} {milliseconds} {event id} {JournalEvent without the parts before}'
-- IDS      hash: event id to sequence
-- CONTEXT  hash: key to JSON text
-- VERIFIED hash: etag, client_id, record
-- CLAIMS   hash: of each tool run `{turn}/{round}/{ordinal}`: {run}:state, :fingerprint, :holder,
--          :token, :expires, :outcome
--
-- A session is over at `expires`. Its keys go `keep` milliseconds later, so that an archive that is
-- away for a while still finds it.
local SESSION, JOURNAL, IDS, CONTEXT, VERIFIED, CLAIMS =
  KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local CHANNEL = SESSION .. ':events'

local function now_ms()
  local time = redis.call('TIME')
  return string.format('%.0f', tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000))
end

local function later(now, milliseconds)
  return string.format('%.0f', tonumber(now) + tonumber(milliseconds))
end

local function missing()
  local expires = redis.call('HGET', SESSION, 'expires')
  return not expires or tonumber(expires) <= tonumber(now_ms())
end

local function has_ended()
  return redis.call('HEXISTS', SESSION, 'ended') == 1
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

-- Watchers are told the event itself, so that they need not ask for it.
local function append(epoch, now, id, body)
  local entry = epoch .. ' ' .. now .. ' ' .. id .. ' ' .. body
  local sequence = redis.call('RPUSH', JOURNAL, entry)
  redis.call('HSET', IDS, id, sequence)
  redis.call('PUBLISH', CHANNEL, sequence .. ' ' .. entry)
end

-- What is written to or renewed lives on; all keys of a session go at the same moment.
local function touch()
  local found = redis.call('HMGET', SESSION, 'ttl', 'keep')
  redis.call('HSET', SESSION, 'expires', later(now_ms(), found[1]))
  for _, key in ipairs(KEYS) do
    redis.call('PEXPIRE', key, later(found[1], found[2]))
  end
end

local function snapshot()
  return {
    'OK',
    redis.call('HGETALL', SESSION),
    redis.call('HGETALL', CONTEXT),
    redis.call('LLEN', JOURNAL),
  }
end

-- A tool's claim, its milliseconds to live, and whether it was granted just now.
local function claim(run, granted)
  local found = redis.call('HMGET', CLAIMS, run .. ':state', run .. ':holder', run .. ':expires',
    run .. ':outcome')
  local left = tonumber(found[3]) - tonumber(now_ms())
  return {'OK', found[1], found[2], found[3], found[4] or '', left, granted}
end
