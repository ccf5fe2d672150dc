-- Keep a decision in place of the one expected, and let it take of the cap, all or nothing.
-- KEYS: the decision, the decisions of its identity by time, the cap of its identity
-- ARGV: id, value, value expected (empty: none), time in ms, takes of the cap (1 or 0), room (empty: any), since in ms,
--       lifetime of decisions in s, lifetime of the cap in s
local stands = redis.call('GET', KEYS[1]) or ''
if stands ~= ARGV[3] then return 'changed' end
if ARGV[5] == '1' and ARGV[6] ~= '' then
  local taken = redis.call('ZCOUNT', KEYS[3], '(' .. ARGV[7], '+inf')
  if redis.call('ZSCORE', KEYS[3], ARGV[1]) then taken = taken - 1 end
  if taken >= tonumber(ARGV[6]) then return 'full' end
end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[8])
redis.call('ZADD', KEYS[2], ARGV[4], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', tonumber(ARGV[4]) - tonumber(ARGV[8]) * 1000)
redis.call('EXPIRE', KEYS[2], ARGV[8])
if ARGV[5] == '1' then
  redis.call('ZADD', KEYS[3], ARGV[4], ARGV[1])
  redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', tonumber(ARGV[4]) - tonumber(ARGV[9]) * 1000)
  redis.call('EXPIRE', KEYS[3], ARGV[9])
else
  redis.call('ZREM', KEYS[3], ARGV[1])
end
return 'written'
