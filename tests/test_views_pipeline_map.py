"""The map on top of each notebook."""

import pytest
import traitlets

from llmviz.views import PipelineMap


def test_shapes_are_the_sentences_and_the_models(model):
    trace = model.trace("The cat that I saw yesterday was sleeping")
    config = model.config
    assert PipelineMap(model, trace).shapes == [
        f"{len(trace.tokens)} tokens",
        f"{len(trace.tokens)} × 576",
        "rotate pairs",
        f"{config.n_layers} × {config.n_heads} heads",
        "1,536 neurons",
        "49,152 → 1",
    ]


def test_another_sentence_changes_the_shapes_in_place(tiny_model):
    picture = PipelineMap(tiny_model)
    assert picture.shapes[0] == "n tokens"
    picture.show(tiny_model.trace([1]))
    assert picture.shapes[:2] == ["1 token", f"1 × {tiny_model.config.d_model}"]
    picture.show(None)
    assert picture.shapes[0] == "n tokens"


def test_it_says_where_you_are(tiny_model):
    picture = PipelineMap(tiny_model, here="attention")
    assert picture.stage == "attention"
    marked = [line for line in picture.text().splitlines() if line.startswith("→")]
    assert len(marked) == 1
    assert marked[0].startswith("→ Attention")
    assert "Attention" in picture.text().splitlines()[0]
    assert "Attention" not in PipelineMap(tiny_model).text().splitlines()[0]
    assert f"× {tiny_model.config.n_layers} layer" in picture.text()
    with pytest.raises(traitlets.TraitError):
        PipelineMap(tiny_model, here="softmax")


def test_only_notebooks_that_lie_beside_this_one_are_linked(tiny_model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert PipelineMap(tiny_model).notebooks == {}
    names = ["00_the_loop", "01_tokenization", "06_sampling"]
    for name in names:
        (tmp_path / f"{name}.ipynb").touch()
    assert PipelineMap(tiny_model).notebooks == {
        "loop": "00_the_loop.ipynb",
        "tokenization": "01_tokenization.ipynb",
        "sampling": "06_sampling.ipynb",
    }
