"""Counts kept as sparse rows are the counts there are, and 0 elsewhere."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from recommender.artifact import Counts

tables = st.integers(0, 6).flatmap(
    lambda width: st.lists(st.lists(st.integers(0, 3), min_size=width, max_size=width), min_size=1, max_size=6)
)


@given(table=tables)
def test_a_count_is_what_was_put_there_and_nought_elsewhere(table: list[list[int]]) -> None:
    dense = np.array(table, np.int64).reshape(len(table), -1)
    kept = sparse.csr_matrix(dense)
    counts = Counts(starts=kept.indptr, columns=kept.indices, counts=kept.data)
    padded = np.pad(dense, ((0, 0), (0, 2)))

    found = [[counts.item(row, column) for column in range(padded.shape[1])] for row in range(len(padded))]

    assert found == padded.tolist()
