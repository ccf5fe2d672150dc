#!lua flags=allow-oom
-- Processes at work on this store, each until its time ends, by the server's own clock; a full store takes them too.
-- KEYS: the leases. ARGV: the one to renew and how long it lasts (s); nothing: only look. Answers those that last.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if ARGV[1] then
  redis.call('ZADD', KEYS[1], now + ARGV[2] * 1000, ARGV[1])
  redis.call('EXPIRE', KEYS[1], ARGV[2])
end
return redis.call('ZRANGE', KEYS[1], 0, -1)
