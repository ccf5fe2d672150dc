-- The deeds of a switch, each held to the checkpoint that is expected to stand: one that comes late does nothing.
-- ARGV: deed, expected ('' for none), then what the deed says. KEYS: checkpoint, then what the deed says.
local deed = ARGV[1]
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[2] then return -1 end
local done = 0
if deed == 'change' then
  -- KEYS: what goes with it. ARGV: what stands from now on.
  redis.call('SET', KEYS[1], ARGV[3])
  for at = 2, #KEYS do redis.call('DEL', KEYS[at]) end
elseif deed == 'move' then
  -- KEYS: by twos, a rebuilt facet and its place.
  for at = 2, #KEYS, 2 do
    if redis.call('EXISTS', KEYS[at]) == 1 then
      redis.call('RENAME', KEYS[at], KEYS[at + 1])
      done = done + 1
    end
  end
elseif deed == 'prune' then
  for at = 2, #KEYS, 2 do
    if redis.call('EXISTS', KEYS[at]) == 0 then done = done + redis.call('UNLINK', KEYS[at + 1]) end
  end
elseif deed == 'sweep' then
  for at = 2, #KEYS do done = done + redis.call('UNLINK', KEYS[at]) end
end
return done
