"""Servers of one machine: a broker, a store and the supervisor of the processes around them; knows nothing of ours."""
