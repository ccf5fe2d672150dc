#!lua name=rapport_v1
-- revision 1
-- A higher revision takes the same arguments and means the same by them; anything else is rapport_v2.

-- KEYS: checkpoint, outbox, facets.  ARGV: expected ('' for none), next, a blob per facet, then id, kind, payload
-- per outbox entry.  Answers nil when everything is written, else the checkpoint that stands ('' for none).
local function commit(keys, args)
  local standing = redis.call('GET', keys[1]) or ''
  if standing ~= args[1] then return standing end
  -- There is no rollback. Only the first XADD can be refused (the ids ascend), and nothing is written before it.
  for at = #keys + 1, #args, 3 do
    redis.call('XADD', keys[2], args[at], 'kind', args[at + 1], 'payload', args[at + 2])
  end
  for at = 3, #keys do redis.call('SET', keys[at], args[at]) end
  redis.call('SET', keys[1], args[2])
  return nil
end

redis.register_function('rapport_v1_commit', commit)
