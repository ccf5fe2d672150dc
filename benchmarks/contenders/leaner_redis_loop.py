"""Leaner loop: the lean loop with as few commands as its fields can be put into."""

from benchmarks.contenders.lean_redis_loop import main
from benchmarks.contenders.plain_profile import few_commands_of

if __name__ == "__main__":
    main(few_commands_of)
