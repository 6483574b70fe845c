"""The guess at every depth, and the ranks of words on the way."""

import numpy as np
import pytest

from llmviz.views import ffn as pictures
from llmviz.views.ffn.logit_lens import for_good


def test_the_lens_names_the_guesses(prompt, tiny_model):
    one = pictures.LensGrid(prompt, "cat, dog cat")
    assert one.map.values.shape == (4, len(prompt.trace.tokens))
    cat, dog = (tiny_model.tokenizer.encode(text)[0] for text in (" cat", " dog"))
    answer = int(prompt.trace.logits.argmax())
    assert next(iter(one.chosen())) == answer
    assert set(one.chosen()) == {answer, cat, dog}
    assert one.plot.values.shape == (len(one.chosen()), 4)
    explanation = one.map.provenance(2, 1)
    assert float(explanation.result) == pytest.approx(float(one.map.values[2, 1]), rel=1e-4)
    one.words.value = "<script> \x04 " + "a b c d e f g h"
    assert len(one.plot.names) == len(one.chosen()) <= 6


def test_for_good_means_to_the_end():
    assert for_good(np.array([5, 1, 2, 1, 1])) == 3
    assert for_good(np.array([1, 1])) == 0
    assert for_good(np.array([1, 2])) is None
