"""What is not SmolLM2: notebooks, pictures and experiments with tiny models of three other families."""

import ast
import dataclasses
from itertools import islice
from pathlib import Path

import ipywidgets
import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
import tiny_families
from test_views_contract import VIEWS, two_countries  # noqa: F401  Work is as short as there.
from test_views_panels import check
from widget_tree import inside

import llmviz
from llmviz import experiments, views
from llmviz.claims.embeddings import nouns_lower
from llmviz.claims.position import odds
from llmviz.edits import Edits
from llmviz.experiments import (
    attribution,
    facts,
    families,
    fine_tuning,
    neurons,
    score_parts,
    table,
    without_rope,
)
from llmviz.views import differences, ffn
from llmviz.views.kit.picture import Picture
from llmviz.views.kit.predict import Predict
from llmviz.views.kit.state_fields import replace

FOLDER = Path(__file__).parents[1] / "notebooks"
WITH_A_MODEL = [path for path in sorted(FOLDER.glob("*.ipynb")) if "llmviz.load()" in path.read_text("utf-8")]
TEXT = "The cat sat on the mat, and the dog sat on the cat"
# Views of a model of their own.
OWN_MODEL = {
    *("pretraining", "one parameter", "gradient step", "sizes", "authorship", "map of tokens"),
    *("guess about a training", "claims of the series"),
}
# What a model from noise does not do.
NO_ANSWER = "doesn't end within"
FAMILIES = [*tiny_families.OF_FAMILY]

pytestmark = pytest.mark.usefixtures("unchecked", "no_pauses")
each_family = pytest.mark.parametrize("family", FAMILIES)


@pytest.fixture(scope="module")
def with_smollms_words(model):
    """The tiny models with the default model's vocabulary; Gemma's puts a begin token in front of each text."""
    begins = {"gemma3": dataclasses.replace(model.tokenizer, begin_token=model.tokenizer.eos_token)}
    return {
        family: tiny_families.of_family(family, model.weights.vocabulary, begins.get(family, model.tokenizer))
        for family in FAMILIES
    }


@pytest.fixture
def other(family, tiny_model):
    return tiny_families.of_family(family, tiny_model.weights.vocabulary, tiny_model.tokenizer)


@pytest.fixture
def trace(other):
    return other.trace(TEXT)


def run_cells(path: Path) -> dict:
    """Run a notebook's code here, which takes a fraction of the time that a kernel does; return its names."""
    names: dict = {"print": lambda *_, **__: None}
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            *body, last = ast.parse(cell.source).body
            exec(compile(ast.Module(body, []), cell.id, "exec"), names)
            if isinstance(last, ast.Expr):
                repr(eval(compile(ast.Expression(last.value), cell.id, "eval"), names))
            else:
                exec(compile(ast.Module([last], []), cell.id, "exec"), names)
    return names


def shown(kind: type) -> list:
    """All widgets of a kind that are there."""
    return [w for w in list(ipywidgets.widgets.widget._instances.values()) if isinstance(w, kind)]


@each_family
@pytest.mark.parametrize("path", WITH_A_MODEL, ids=lambda path: path.stem)
def test_a_notebook_runs_and_its_cards_have_answers(with_smollms_words, family, path, monkeypatch):
    monkeypatch.setattr(llmviz, "load", lambda: with_smollms_words[family])
    monkeypatch.setattr(plt, "show", plt.close)
    before = {*shown(ipywidgets.Widget)}
    run_cells(path)
    for card in [card for card in shown(Predict) if card not in before]:
        card.parts["card"].change(committed=True)
        answered = card.state.answered
        assert card.instead or not answered.problem or NO_ANSWER in answered.problem, answered.problem
        for picture in inside(card, Picture):
            assert picture.layout.display == "none" or picture.text()
    for widget in shown(ipywidgets.Widget):
        if widget not in before:
            widget.close()


@each_family
@pytest.mark.parametrize("name", [name for name in VIEWS if name not in OWN_MODEL])
def test_a_view_shows_each_state_and_says_where_its_numbers_are_from(other, name):
    prompt = views.Prompt(other, "The cat sat on the cat")
    view = VIEWS[name](prompt)
    for field, declared in view._fields.items():
        for value in islice(declared.on_page(view), 4):
            if declared.accepts(value, view):
                view.become(replace(view.state, **{field: value}))
                check(view, other, prompt.trace)
    for picture in inside(view, Picture):
        assert picture.layout.display == "none" or picture.text()
    view.close()


@each_family
def test_what_the_parts_add_to_a_score_is_the_score(trace):
    config = trace.model.config
    for layer, query in ((1, -1), (config.n_layers - 1, 6)):
        for head in range(config.n_heads):
            parts = score_parts.score_parts(trace, layer, head, query)
            scores = trace.blocks[layer].attention_at(query).scores[head, 0]
            of_parts = parts.values.sum(axis=(0, 2))
            if config.score_cap:
                of_parts = config.score_cap * np.tanh(of_parts / config.score_cap)
            seen = np.isfinite(scores)
            assert seen.argmax() == parts.first
            np.testing.assert_allclose(of_parts[seen], scores[seen], atol=1e-5)


@each_family
def test_what_the_parts_add_to_a_logit_is_the_logit(trace):
    answer = int(trace.logits.argmax())
    logit = attribution.uncapped_logits(trace)[answer]
    assert attribution.direct_logit_attribution(trace, answer).total == pytest.approx(logit, rel=1e-5)
    assert sum(value for _, value in attribution.logit_terms(trace)) == pytest.approx(logit, rel=1e-5)
    weight = trace.blocks[1].attention_at(-1).pattern[2, 0, -3]
    added = attribution.head_contribution(trace, 1, 2, source=-3) @ attribution.logit_direction(trace, answer)
    assert weight * experiments.ov_logits(trace, 1, 2, -3)[answer] == pytest.approx(added, abs=1e-5)
    from_each = [attribution.head_contribution(trace, 1, 2, source=at) for at in range(len(trace.tokens))]
    np.testing.assert_allclose(sum(from_each), attribution.head_contribution(trace, 1, 2), atol=1e-5)


@pytest.mark.parametrize("family", [family for family in FAMILIES if family != "gpt2"])
def test_rope_is_undone_and_done_again(other, trace):
    config, n = other.config, len(trace.tokens)
    q, k = without_rope.all_before_rope(trace)
    scores = experiments.score_at(config, q[..., -1, :], k[..., -2, :], (n - 1, n - 2))
    if config.score_cap:
        scores = config.score_cap * np.tanh(scores / config.score_cap)
    np.testing.assert_allclose(scores, experiments.last_scores(trace), atol=1e-5)
    unturned = other.trace(trace.tokens, without_rope.unturned_pairs(other, n, slice(None)))
    np.testing.assert_allclose(
        unturned.logits, other.trace(trace.tokens, Edits(rope=False)).logits, atol=1e-4
    )
    layer, head = without_rope.head_with_clocks(trace)
    assert config.rope_base_of(layer) == config.rope_base
    turned = without_rope.turned_to(trace, layer, head, (n - 1, n - 2), (n - 1, n - 2))
    of_pairs = without_rope.score_of_pairs(trace, layer, *turned).sum()
    own = trace.blocks[layer].q[head, -1] @ trace.blocks[layer].k[config.kv_head_of(head), -2]
    assert of_pairs == pytest.approx(own / (config.score_divisor or config.d_head**0.5), abs=1e-5)
    assert without_rope.change_if_both_move(trace, 1_000) == pytest.approx(0, abs=1e-3)


@each_family
def test_a_path_is_cut_where_the_head_wrote(other, trace):
    cut = other.trace(trace.tokens, experiments.patch_path(trace, (0, 1), (1, 2), "k"))
    whole, without = (run.blocks[1].attention.scores[2] for run in (trace, cut))
    seen = np.isfinite(whole)
    assert np.abs(whole[seen] - without[seen]).max() > 1e-4
    np.testing.assert_allclose(cut.blocks[1].attention.scores[1], trace.blocks[1].attention.scores[1])


@each_family
def test_the_length_of_what_a_neuron_writes(other, trace):
    """Fire it alone a little more: the stream changes by its row, which a norm may scale."""
    w, block, config = other.weights.layers[1], trace.blocks[1], other.config
    hidden = block.ffn.hidden
    lengths = neurons.lengths_written(config, w, hidden)
    vectors = hidden[-1][:, None] * w.W_down
    if w.ffn_post_norm is not None:
        raw = vectors.sum(axis=0)
        vectors = vectors * w.ffn_post_norm / np.sqrt((raw**2).mean() + config.norm_eps)
    np.testing.assert_allclose(lengths[-1], np.linalg.norm(vectors, axis=1), rtol=1e-4)
    bias = 0 if w.b_down is None else w.b_down
    np.testing.assert_allclose(vectors.sum(axis=0) + bias, block.ffn.out[-1], atol=1e-4)


@each_family
def test_a_model_is_rounded_and_timed(other):
    rounded = experiments.quantised(other, 4)
    assert (rounded.weights.layers[0].W_up != other.weights.layers[0].W_up).any()
    assert rounded.weights.layers[0].b_up is other.weights.layers[0].b_up
    experiments.with_noise_of(other, rounded)
    *_, timing = experiments.measure_cost(other, (5, 20))
    assert (timing.quadratic > 0).all()


def test_a_begin_token_is_not_taken_for_a_word(with_smollms_words):
    model = with_smollms_words["gemma3"]
    encode, begin = model.tokenizer.encode, model.tokenizer.begin_token
    pair = facts.question_pair(model, "France", "Germany")
    assert (pair.trace.tokens[0], pair.subject) == (begin, 4)
    assert [run.tokens[4] for run in (pair.trace, pair.twin)] == encode(" France") + encode(" Germany")
    assert all(len({*ranks.values()}) == 2 for ranks in facts.city_ranks(model).values())
    W_E = model.weights.W_E
    (hot,), (cold,) = (W_E[encode(word)] for word in (" hot", " cold"))
    assert table.cosine(model, "hot cold") == pytest.approx(
        hot @ cold / np.linalg.norm(hot) / np.linalg.norm(cold), abs=1e-5
    )
    assert table.rank(model, "hot hot") == 0
    assert table.early_neighbours(model, "hot", centred=False) <= 12
    assert 0 <= nouns_lower(model, "dog", centred=False) <= 100
    assert len(odds(model, ("Tom", "Anna", "dog", "cat"), 0, Edits())) == 2


def test_the_wording_is_one_that_the_model_answers(model, with_smollms_words):
    assert facts.capital_question(model) == facts.CAPITAL
    other = with_smollms_words["gemma3"]
    expected = iter(["same answer", None])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(facts, "why_no_fact", lambda pair: next(expected))
        assert facts.capital_question(other) == "The capital of {} is called"
    pair = facts.question_pair(other, "Kenya", "France", "The capital of {} is called")
    assert (pair.subject, pair.trace.pieces[-1]) == (4, " called")


def test_a_country_without_a_fact_is_not_counted(with_smollms_words, monkeypatch):
    monkeypatch.setattr(facts, "why_no_fact", lambda _: "same answer")
    view = ffn.TenCountries(with_smollms_words["qwen3"])
    view.parts["card"].change(committed=True)
    values = view.parts["table"].values
    assert values[0, 0] > 0
    assert np.isnan(values[:, 1:]).all()
    assert view.parts["card"].answer == 0
    assert "France (not tested)" in view.parts["card"].explained


def test_the_heads_of_the_pages_are_measured(model):
    assert experiments.noun_head(model) == (13, 8)
    assert experiments.reader_and_writers(model) == ((18, 6), [(16, 0), (11, 1)])


@each_family
def test_a_page_says_what_the_model_does_in_another_way(other, model):
    assert views.about(model) is views.about_formula(model) is None
    assert "formulas" in views.about_formula(other)
    about = views.about(other)
    assert other.config.architecture in about
    assert all(clause in about for clause in families.differences(other.config))
    assert "gate" in about or other.config.architecture != "gpt2"
    assert fine_tuning.why_not(other) == ""


def test_a_base_model_is_not_asked_what_takes_a_chat_model(with_smollms_words):
    other = with_smollms_words["gemma3"]
    base = llmviz.Model(other.weights, dataclasses.replace(other.tokenizer, chat_template=None))
    assert "no chat template" in views.about(base)
    assert "no chat template" not in views.about(other)
    tuning = differences.FineTuning(base)
    for view in (tuning, differences.Cost(tuning), differences.OneFact(base)):
        assert [view.parts[name].layout.display for name in ("card", "begin")] == ["none", "none"]
        assert "no chat template" in repr(view.parts["refusal"])
