"""Values that nobody should give, for the fuzz tests."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

QUICK = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)

plain_text = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        ["", " ", "\x00", "\ud800", "nan", "-1", "true", "../..", "a\nb", "vote", "local", "🦀" * 30, "9" * 400]
    ),
)
numbers = st.one_of(
    st.integers(-3, 5),
    st.sampled_from([2**31, 2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**30, 1e308, -1e308, 5e-324, -0.0]),
    st.floats(allow_nan=True, allow_infinity=True),
)
scalars = st.one_of(st.none(), st.booleans(), numbers, plain_text, st.binary(max_size=4))
junk = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(plain_text, inner, max_size=3), st.tuples(inner, inner)
    ),
    max_leaves=5,
)
