-- End holds whose release still stands in the outbox, and take these out of it, in one step.
-- A store put back from a copy of before the fold has no such entry, and its hold stays.
-- KEYS: the outbox, what waits in the partition, then the hash of each hold
-- ARGV: for each hold the id of its entry, its field, its member of what waits
for at = 3, #KEYS do
  local said = (at - 3) * 3
  if redis.call('XDEL', KEYS[1], ARGV[said + 1]) == 1 then
    redis.call('HDEL', KEYS[at], ARGV[said + 2])
    redis.call('ZREM', KEYS[2], ARGV[said + 3])
  end
end
