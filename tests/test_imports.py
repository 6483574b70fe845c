"""Who may know whom: the rule of the design, read from the imports of every module."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((ROOT / "llmviz").rglob("*.py"))
}
STAGES = ("tokenization", "embeddings", "position", "attention", "ffn", "sampling")
CLAIMS_OF_PAGES = (
    *("the_loop", *STAGES),
    *("differences_text", "differences_size", "differences_finetuning", "differences_series"),
)

# A page's claims measure by experiments, on any stage.
CLAIMS_MAY_KNOW = {
    *(
        "",
        "ops",
        "edits",
        "model",
        "training",
        "texts",
        *STAGES,
        "claims.cases",
        "claims.claim",
    ),
    *(name.removeprefix("llmviz.") for name in MODULES if name.startswith("llmviz.experiments")),
}

# What each module outside views/ may import of ours. One that is not listed here may not exist.
MAY_KNOW = {
    "ops": set(),
    "weights": {
        "machine",
        "model_files",
        "tokenization",
        "tokenizer_json",
    },  # a file without a vocabulary is refused
    "model_files": set(),
    "download": {"machine"},
    "checks": set(),
    "glossary": set(),
    "tokenization": {"chat_template", "tokenizer_json"},
    "chat_template": set(),
    "tokenizer_json": set(),
    "embeddings": {"ops"},
    "position": {"ops"},
    "attention": {"ops"},
    "ffn": {"ops"},
    "sampling": {"ops"},
    "where": set(),
    "machine": set(),  # no mathematics: its cores and its memory
    "threads": {"machine"},  # nor here: how many threads NumPy takes
    "edits": {"ops", "weights"},
    "reuse": {"edits"},
    "local_models": {"download", "machine", "model_files", "weights"},
    "model": {
        "ops",
        "weights",
        "download",
        "local_models",
        "model_files",
        "threads",
        "edits",
        "reuse",
        *STAGES,
    },
    # They run the model and measure; what each is about is its name.
    "experiments": {
        "experiments.ablation",
        "experiments.answers",
        "experiments.attention_behaviours",
        "experiments.attribution",
        "experiments.cost",
        "experiments.induction",
        "experiments.lens",
        "experiments.minimal_pairs",
        "experiments.order",
        "experiments.patching",
        "experiments.probabilities",
        "experiments.published",
        "experiments.rounding",
        "experiments.sinks",
        "experiments.without_rope",
        "experiments.writing",
    },
    "experiments.ablation": {
        *("edits", "model", "experiments.attention_behaviours", "experiments.probabilities"),
    },
    "experiments.attention_behaviours": {"attention", "edits", "model", "reuse"},
    "experiments.attribution": {
        *("ops", "edits", "model", "training", "sampling", "experiments.attention_behaviours"),
    },
    "experiments.cost": {"attention", "ops", "model"},
    "experiments.answers": {"ops", "model", "reuse", "sampling", "texts.write", "experiments.writing"},
    "experiments.facts": {
        *("ops", "edits", "model", "experiments.ablation", "experiments.answers"),
        *("experiments.attention_behaviours", "experiments.attribution", "experiments.patching"),
        "experiments.probabilities",
    },
    "experiments.induction": {
        *("attention", "edits", "model", "reuse", "experiments.ablation"),
        *("experiments.attention_behaviours", "experiments.patching", "experiments.probabilities"),
    },
    "experiments.lens": {"embeddings", "ops", "edits", "model", "experiments.attribution"},
    "experiments.families": {"model", "weights"},
    "experiments.journey": {
        *("ops", "model", "reuse", "sampling", "experiments.neurons", "experiments.without_rope"),
    },
    "experiments.letters": {"model", "reuse", "experiments.probabilities", "experiments.writing"},
    "experiments.minimal_pairs": {
        *("ops", "edits", "model", "experiments.ablation", "experiments.attention_behaviours"),
        *("experiments.attribution", "experiments.patching"),
    },
    "experiments.fine_tuning": {
        *(
            "ops",
            "model",
            "training",
            "sampling",
            "texts.write",
            "experiments.answers",
            "experiments.writing",
        ),
    },
    "experiments.fine_tuned": {
        *("model", "reuse", "sampling", "training", "experiments", "experiments.fine_tuning"),
        "experiments.probabilities",
    },
    "experiments.gradients": {"model", "sampling", "training", "weights", "experiments.probabilities"},
    "experiments.neurons": {"ops", "ffn", "model", "reuse", "texts", "weights", "experiments.families"},
    "experiments.order": {
        *("ops", "edits", "model", "experiments.attention_behaviours", "experiments.probabilities"),
    },
    "experiments.patching": {"ops", "edits", "model", "experiments.attribution"},
    "experiments.patch_map": {
        *("edits", "model", "experiments.facts", "experiments.patching", "experiments.probabilities"),
    },
    "experiments.score_parts": {
        "ops",
        "attention",
        "edits",
        "model",
        "reuse",
        "experiments.attention_behaviours",
    },
    "experiments.probabilities": {"ops", "edits", "model", "sampling", "experiments.lens"},
    "experiments.published": {"model", "weights"},
    "experiments.rounding": {
        "model",
        "sampling",
        "weights",
        "experiments.answers",
        "experiments.probabilities",
    },
    "experiments.sinks": {"edits", "model", "experiments.probabilities"},
    "experiments.small_models": {"model", "sampling", "training", "weights", "experiments.probabilities"},
    "experiments.without_rope": {
        *("edits", "model", "position", "experiments.attention_behaviours", "experiments.induction"),
        *("experiments.order", "experiments.probabilities"),
    },
    "experiments.places": {"ops", "model", "reuse", "sampling", "experiments.writing"},
    "experiments.writing": {"ops", "model", "reuse", "sampling"},
    "experiments.learning": {
        *("edits", "model", "reuse", "sampling", "training", "experiments.attention_behaviours"),
        *("experiments.probabilities", "experiments.small_models", "experiments.text_statistics"),
    },
    "experiments.training_run": {
        *("model", "reuse", "sampling", "texts", "training", "experiments", "experiments.learning"),
        "experiments.text_statistics",
    },
    "experiments.text_statistics": {"model", "experiments.probabilities"},
    "experiments.table": {"embeddings", "model", "reuse", "experiments.words"},
    "experiments.words": {"", "tokenization", "model", "reuse"},
    # the conclusions of the pages, and how each is measured
    "claims": {f"claims.{name}" for name in (*CLAIMS_OF_PAGES, "claim")},
    "claims.__main__": {"", "local_models", "weights", "claims", "claims.claim", "claims.stored"},
    "claims.cases": set(),
    "claims.claim": {"model", "reuse"},
    "claims.stored": {"download", "claims.claim"},
    **{f"claims.{page}": CLAIMS_MAY_KNOW for page in CLAIMS_OF_PAGES},
    "claims.sampling": CLAIMS_MAY_KNOW | {"claims.the_loop"},
    # the stages backwards, composed
    "training": {
        "ops",
        "weights",
        "threads",
        "model",
        "tokenization",
        "embeddings",
        "position",
        "attention",
        "ffn",
        "sampling",
    },
    "texts": set(),
    "texts.forms": set(),
    "texts.own": {"where"},
    "texts.write": {  # runs many texts side by side
        *("ops", "edits", "model", "tokenization", "embeddings", "position", "attention", "sampling"),
        *("texts", "texts.forms"),
    },
    "cli": {
        "",
        "machine",
        "page",
        "classroom",
        "download",
        "local_models",
        "weights",
    },  # the version; cores; the cache
    "classroom": {"classroom.network", "classroom.session_pool", "classroom.server", "machine"},
    "classroom.server": {
        *("classroom.fairness", "classroom.lessons", "classroom.network", "classroom.pages"),
        *("classroom.session_pool", "classroom.voila_parts", "page.write"),
    },
    "classroom.fairness": set(),
    "classroom.network": {"page.write"},
    "classroom.voila_parts": set(),
    "classroom.lessons": set(),  # what is right in them, the tests ask of the model
    "classroom.pages": {"classroom.session_pool", "classroom.voila_parts", "page.write"},
    # sheets of paper, computed
    "classroom.worksheets": {
        *("", "model", "experiments", "tokenization", "attention", "sampling"),
        *("classroom.lessons", "claims.cases", "page.write"),
    },
    "classroom.session_pool": {"machine", "where"},  # kernels, and no maths: that is theirs
    "page": {
        "machine",
        "page.write",
        "where",
    },  # runs notebooks in a kernel; what computes there is page.table
    "page.table": {
        f"views.kit.{name}"
        for name in ("controls", "lifetime", "picture", "state_fields", "text_box", "view")
    },
    "page.write": {"page.note"},
    "page.note": set(),
    "server_extension": set(),  # for the Jupyter server, which runs no model
}
KIT = {name.removeprefix("llmviz.views.") for name in MODULES if name.startswith("llmviz.views.kit.")}
SHOWN_WITH = ("plotly", "ipywidgets", "anywidget", "IPython", "matplotlib", "traitlets")
# Outside views: Voilà is configured by traitlets, and a page's table asks the widgets what they show.
ASKS_WIDGETS = {
    "classroom.server": {"traitlets"},
    "page.table": {"ipywidgets"},
}
# A view shows its own stage. Besides, every view may know the model, experiments on it, the small functions under all
# stages, how results are kept, the names of the package itself (Edits), and the two ends: how text becomes pieces, and
# logits probabilities.
ANY_VIEW = {
    "",
    "model",
    "training",
    "edits",
    "reuse",
    "machine",
    "where",
    "ops",
    "tokenization",
    "sampling",
    "claims",
    "claims.cases",
    "claims.claim",
    "claims.differences_series",
    "claims.stored",
}
ANY_VIEW |= {"texts", *(name for name in MAY_KNOW if name.startswith("experiments"))}
# Where a number of any stage is from, and the map that leads through all stages.
VIEWS_OF_ALL_STAGES = {"provenance", "the_loop.stage_tour"}
# What makes models different is seen in every stage, and begins with a text and sizes.
DIFFERENCES = {*STAGES, "texts", "texts.own", "weights", "views.embeddings.flat_map"}


def imported(source: str, module: str, *, is_package: bool = False) -> set[str]:
    """Every module that the source imports anywhere in it, as absolute dotted names."""
    package = module.split(".") if is_package else module.split(".")[:-1]
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*start, *([node.module] if node.module else [])])
            # "from llmviz import ops" imports a module; "from llmviz.ops import softmax" does too
            names |= {full if (full := f"{base}.{alias.name}") in MODULES else base for alias in node.names}
    return names


def imports_of(module: str) -> set[str]:
    path = MODULES[module]
    return imported(path.read_text("utf-8"), module, is_package=path.name == "__init__.py")


def ours(module: str) -> set[str]:
    """The modules of ours that `module` imports, without the leading "llmviz."; "" is the package itself."""
    names = {name for name in imports_of(module) if name.split(".")[0] == "llmviz"}
    return {name.removeprefix("llmviz").removeprefix(".") for name in names}


def foreign(module: str) -> set[str]:
    return {name.split(".")[0] for name in imports_of(module)} - {"llmviz"}


def test_every_form_of_import_is_read():
    source = (
        "import numpy as np\nfrom . import provenance, nothing\nfrom .. import ops\nfrom ..attention import attend\n"
        "def g():\n    import plotly.graph_objects as go\n    from llmviz import model, Edits\n"
    )
    assert imported(source, "llmviz.views.probe") == {
        "numpy",
        "llmviz.views.provenance",
        "llmviz.views",
        "llmviz.ops",
        "llmviz.attention",
        "plotly.graph_objects",
        "llmviz.model",
        "llmviz",
    }
    assert imported("from . import ops", "llmviz", is_package=True) == {"llmviz.ops"}


def test_every_module_outside_views_is_held_by_the_rule():
    outside = {name for name in MODULES if not name.startswith("llmviz.views")} - {"llmviz"}
    assert outside == {f"llmviz.{name}" for name in MAY_KNOW}


def test_shapes_are_checked_wherever_they_are_written(pytestconfig):
    checked = tuple(pytestconfig.getoption("--jaxtyping-packages").split(","))
    assert [name for name in MODULES if "jaxtyping" in foreign(name) and not name.startswith(checked)] == []


@pytest.mark.parametrize("name", MAY_KNOW)
def test_maths_knows_only_what_it_may(name):
    assert ours(f"llmviz.{name}") <= MAY_KNOW[name]
    assert not foreign(f"llmviz.{name}") & set(SHOWN_WITH) - ASKS_WIDGETS.get(name, set())


def test_only_model_composes():
    """And training, backwards. Sheets of paper show a run in the stages' own terms; they make none. Many texts side by
    side begin and attend in their own way, around the model's blocks.
    """
    composing = {name for name in MAY_KNOW if len(ours(f"llmviz.{name}") & set(STAGES)) > 1}
    claims = {name for name in composing if name.startswith("claims.")}  # they read runs, too
    assert composing - claims == {"model", "training", "texts.write", "classroom.worksheets"}


def test_the_checks_know_numpy_only():
    assert foreign("llmviz.checks") - sys.stdlib_module_names == {"numpy"}


@pytest.mark.parametrize("module", [name for name in MODULES if name.startswith("llmviz.views.")])
def test_a_view_knows_its_stage_the_model_and_the_kit(module):
    stem = module.removeprefix("llmviz.views.")
    of = stem.split(".")[0]  # a stage's pictures may fill several modules
    own = set(STAGES) if stem in VIEWS_OF_ALL_STAGES else {of} & set(STAGES)
    known = ours(module) - (DIFFERENCES if of == "differences" else set())
    assert {name for name in known if not name.startswith("views")} <= ANY_VIEW | own
    if of == "kit":  # what all pictures are made of knows no picture
        assert {name for name in known if name.startswith("views")} <= {f"views.{name}" for name in KIT} | {
            *("views.kit", "views.provenance")
        }
    # The kit is shared; the pictures of a stage are its own, and the map's that leads through all of them.
    if stem not in VIEWS_OF_ALL_STAGES:
        assert pictures_of_other_stages(of, known) == set()


def pictures_of_other_stages(of: str, known: set[str]) -> set[str]:
    """Those of the modules `known` whose pictures are another stage's than `of`."""
    others = {f"views.{stage}" for stage in STAGES if stage != of}
    return {name for name in known if ".".join(name.split(".")[:2]) in others}


def test_a_module_within_the_pictures_of_another_stage_is_found():
    known = {
        "model",
        "views.kit.controls",
        "views.ffn.population",
        "views.attention",
        "views.attention.heads",
    }
    assert pictures_of_other_stages("ffn", known) == {"views.attention", "views.attention.heads"}


def test_the_package_needs_no_view_and_no_slow_import():
    """`import llmviz` in a fresh process, as a script without a notebook does it."""
    program = "import sys, llmviz; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert "numpy" in loaded
    assert not loaded & {*SHOWN_WITH, "gguf", "tiktoken", "tqdm", "regex", "torch", "transformers"}
