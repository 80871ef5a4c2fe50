"""What all protocols read alike."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levers.model.contract import TokenLogprob
from levers.model.reading import confidence


@given(st.lists(st.floats(-50, 0.001), min_size=1))
def test_a_reply_is_as_sure_as_its_least_probable_token(logprobs: list[float]) -> None:
    sure = confidence([TokenLogprob(token="t", logprob=each) for each in logprobs])
    assert sure == pytest.approx(min(1.0, math.exp(min(logprobs))))


def test_without_probabilities_there_is_no_confidence() -> None:
    assert confidence(None) is None and confidence([]) is None
