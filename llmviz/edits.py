"""Reach inside a run: scale a part, add a vector, or change any array with your own function.

    Edits(ffn={3: 0})                                              the FFN of layer 3 adds nothing
    Edits(at={("resid_post", 12): add(vector)})                    steer: add a vector after layer 12
    Edits(at={("z", 5): scale(0, head=2, positions=[1, 4])})       head 2 passes nothing on to tokens 1 and 4
    Edits(at={("hidden", 9): lambda hidden: np.maximum(hidden, 0)})   whatever you like

Scales and `resid` are short forms: each becomes a function at one of these arrays. The run passes each array to its
functions, in the order in which the arrays are computed:

    resid_pre [seq d_model] · q [n_heads seq d_head] and k, v [n_kv_heads seq d_head], after RoPE
    scores (before the mask), pattern [n_heads seq kv_seq] · z [n_heads seq d_head] · attention_out [seq d_model]
    resid_mid [seq d_model] · hidden [seq d_ff] · ffn_out [seq d_model] · resid_post [seq d_model]

`add`, `scale`, `put` and `knock_out` change each token on its own. So what a run has computed for earlier tokens stays
valid when the text grows, and generating a token costs no more than without edits. Your own function always gets the
array of the whole text, so each generated token runs the whole text again.
"""

import operator
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from numbers import Real
from types import MappingProxyType

import numpy as np
from jaxtyping import Float

from llmviz.weights import Config

Function = Callable[[np.ndarray], np.ndarray]
Indices = int | Sequence[int] | None  # one, several, or all

# The arrays that can be changed, in the order in which they are computed, with their axes.
ARRAYS = {
    "resid_pre": ("seq", "d_model"),
    "q": ("n_heads", "seq", "d_head"),
    "k": ("n_kv_heads", "seq", "d_head"),
    "v": ("n_kv_heads", "seq", "d_head"),
    "scores": ("n_heads", "seq", "kv_seq"),
    "pattern": ("n_heads", "seq", "kv_seq"),
    "z": ("n_heads", "seq", "d_head"),
    "attention_out": ("seq", "d_model"),
    "resid_mid": ("seq", "d_model"),
    "hidden": ("seq", "d_ff"),
    "ffn_out": ("seq", "d_model"),
    "resid_post": ("seq", "d_model"),
}


# --- what can be done to each token on its own ------------------------------------------------------------------------


def add(vector: Float[np.ndarray, " width"], *, positions: Indices = None, head: Indices = None) -> "Change":
    """Add a vector, as long as the array's last axis, at some positions or at all, for `Edits(at=…)` (steering).

    head: only to these heads of q, k, v or z. Negative positions count from the end of the text, or of the prompt.
    """
    return _change(np.add, _vector(vector), positions, head)


def put(vector: Float[np.ndarray, " width"], *, positions: Indices = None, head: Indices = None) -> "Change":
    """Replace vectors with another one, for `Edits(at=…)` (patching)."""
    return _change(_instead, _vector(vector), positions, head)


def scale(factor: float, *, positions: Indices = None, head: Indices = None) -> "Change":
    """Multiply some positions, heads or all by a number, for `Edits(at=…)`. Positions are those of the query."""
    if not isinstance(factor, Real) or not np.isfinite(factor):
        raise ValueError(f"scale takes a finite number; got {factor!r}")
    return _change(np.multiply, factor, positions, head)


def knock_out(keys: int | Sequence[int], *, positions: Indices = None, head: Indices = None) -> "Change":
    """Set the weights of some keys to 0, for `Edits(at={("pattern", layer): …})` (knockout; Geva et al. 2023).

    The other weights of the row are scaled up to sum to one; a row without others is zero. positions: those of the
    query. Negative positions and keys count from the end of the text, or of the prompt.
    """
    return Change(keys=_several(keys) or (), positions=_several(positions), heads=_several(head))


@dataclass(frozen=True, kw_only=True, repr=False)
class Change:
    """A function on an array [seq n] or [heads seq n] that changes each token on its own. Equal if it does the same."""

    # From the old numbers and those of `value` to the new ones; None for a knockout.
    operation: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
    value: bytes = b""  # float32 numbers
    shape: tuple[int, ...] = ()  # of the value
    keys: tuple[int, ...] = ()  # that are knocked out
    positions: tuple[int, ...] | None = None  # None: all
    heads: tuple[int, ...] | None = None
    units: tuple[int, ...] | None = None  # along the last axis

    def __repr__(self) -> str:
        where = (("positions", self.positions), ("head", self.heads))
        chosen = "".join(f", {key}={indices}" for key, indices in where if indices is not None)
        if self.operation is None:
            return f"knock_out({self.keys}{chosen})"
        name = {np.multiply: "scale", np.add: "add", _instead: "put"}[self.operation]
        what = f"[{self.shape[0]} numbers]" if self.shape else f"{self._numbers:g}"
        return f"{name}({what}{chosen})"

    def __call__(self, array: np.ndarray, places: Sequence[int] | None = None) -> np.ndarray:
        """Return the changed array. places: the positions of its rows in the text; by default, all positions."""
        if places is None:
            places = range(array.shape[-2])
            return self.in_text(len(places))(array, places)
        if self.positions is self.heads is self.units is None:
            return self._change(array)
        rows = None
        if self.positions is not None:
            rows = [places.index(position) for position in self.positions if position in places]
            if not rows:
                return array
        chosen = (self.heads, rows, self.units)[-array.ndim :]
        region = np.ix_(
            *(range(n) if indices is None else indices for n, indices in zip(array.shape, chosen))
        )
        changed = array.copy("K")  # keep the order in memory, so that products round in the same way
        changed[region] = self._change(changed[region])
        return changed

    @property
    def _numbers(self) -> np.ndarray:
        return np.frombuffer(self.value, np.float32).reshape(self.shape)

    def _change(self, old: np.ndarray) -> np.ndarray:
        """Return what replaces the chosen part of the array."""
        if self.operation is not None:
            return self.operation(old, self._numbers)
        seen = np.ones(old.shape[-1], bool)
        # Later keys are masked, or do not exist yet.
        seen[[key for key in self.keys if key < len(seen)]] = False
        rest = old * seen
        total = rest.sum(axis=-1, keepdims=True)
        return np.divide(rest, total, out=np.zeros_like(rest), where=total > 0)

    def in_text(self, seq: int) -> "Change":
        """Return the same with its positions counted from the start of a text of `seq` tokens, or ValueError."""
        keys = tuple(index_of("key", key, seq) for key in self.keys)
        return replace(
            self,
            keys=keys,
            positions=self.positions and tuple(index_of("position", place, seq) for place in self.positions),
        )

    def check(self, name: str, config: Config) -> None:
        """Raise ValueError if the array of this name cannot be changed in this way."""
        *heads, _, width = ARRAYS[name]
        if self.heads is not None and not heads:
            raise ValueError(f"{name} has no heads")
        for head in self.heads or ():
            index_of("head", head, getattr(config, heads[0]), negative=False)
        if self.operation is None and name != "pattern":
            raise ValueError(f'keys are knocked out of the pattern, at=("pattern", layer); got {name!r}')
        if self.shape and width == "kv_seq":
            raise ValueError(
                f"the rows of {name} are as long as the text: change them by a function of your own"
            )
        if self.shape and self.shape != (getattr(config, width),):
            raise ValueError(
                f"{name} takes a vector of {getattr(config, width)} numbers ({width}); got {self.shape[0]}"
            )


def _change(operation, value, positions, head) -> Change:
    with np.errstate(over="ignore"):  # the run reports an overflow, with its layer
        value = np.asarray(value, np.float32)
    return Change(
        operation=operation,
        value=value.tobytes(),
        shape=value.shape,
        positions=_several(positions),
        heads=_several(head),
    )


def _vector(vector: np.ndarray) -> np.ndarray:
    vector = np.asarray(vector)
    if vector.ndim != 1 or vector.dtype.kind not in "fiu" or not np.isfinite(vector).all():
        raise ValueError(f"a vector of finite numbers is needed; got {_described(vector)}")
    return vector


def _several(index: int | Iterable[int] | None) -> tuple[int, ...] | None:
    if index is None:
        return None
    return tuple(operator.index(i) for i in (index if isinstance(index, Iterable) else [index]))


def _instead(old: np.ndarray, new: np.ndarray) -> np.ndarray:
    return np.broadcast_to(new, old.shape).copy()


# --- all that is changed in one run ----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False, repr=False)
class Edits:
    """Changes to make inside the model for one run. Every default leaves it unchanged, to the last bit.

    Scales: 0 = off, 1 = unchanged, 2 = doubled. A layer, head or neuron that is not named keeps its 1. Edits
    cannot be changed later (`dataclasses.replace` makes a copy). Two are equal if they do the same; your own functions
    count as the same only if they are the same object. They are not called again for a run that is kept for reuse.
    """

    head: Mapping[tuple[int, int], float] = field(default_factory=dict)  # (layer, head): what it passes on
    attention: Mapping[int, float] = field(default_factory=dict)  # layer: what attention adds to the stream
    ffn: Mapping[int, float] = field(default_factory=dict)  # layer: what the FFN adds to the stream
    neuron: Mapping[tuple[int, int], float] = field(default_factory=dict)  # (layer, neuron): its activation
    # (layer, position): a vector [d_model] that replaces resid_pre there; layer 0 is the embedding
    resid: Mapping[tuple[int, int], np.ndarray] = field(default_factory=dict)
    # (name, layer): one function or several, each from the array of the whole text to one of the same shape
    at: Mapping[tuple[str, int], Function | Sequence[Function]] = field(default_factory=dict)
    position_scale: float = 1.0  # RoPE uses position * scale + shift
    position_shift: float = 0.0
    rope: bool = True
    causal_mask: bool = True
    score_scale: bool = True  # divide the scores by √d_head
    norm: bool = True  # all RMSNorms, including the final one
    residual: bool = True  # each block adds to the stream; False: it replaces the stream

    def __post_init__(self):
        """Keep read-only copies, because a finished run and what it is compared with must not change."""
        for name in ("head", "attention", "ffn", "neuron", "resid", "at"):
            value = getattr(self, name)
            if not isinstance(value, Mapping):
                raise TypeError(f"{name} takes a dict, for instance ffn={{0: 0.5}}; got {value!r}")
            value = dict(value)
            if name == "resid":
                value = {place: np.array(vector, np.float32) for place, vector in value.items()}
                for vector in value.values():
                    vector.flags.writeable = False
            object.__setattr__(self, name, MappingProxyType(value))

    def __repr__(self) -> str:
        """Show only what is not at its default."""
        shown = []
        for option in fields(self):
            value, plain = getattr(self, option.name), option.default
            if isinstance(value, Mapping):
                value, plain = dict(value), {}
            if value != plain:
                shown.append(f"{option.name}={value!r}")
        return f"Edits({', '.join(shown)})"

    def __eq__(self, other: object) -> bool:
        return self._key == other._key if isinstance(other, Edits) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key)

    @cached_property
    def functions(self) -> Mapping[tuple[int, str], tuple[Function, ...]]:
        """Return what is done to each array, by (layer, name): scales and `resid` first, without scales of 1."""
        functions: dict[tuple[int, str], list[Function]] = defaultdict(list)
        for name, scales in (("attention_out", self.attention), ("ffn_out", self.ffn)):
            for layer, factor in scales.items():
                if factor != 1:
                    functions[layer, name].append(scale(factor))
        of_parts: dict[tuple[int, str], dict[int, float]] = defaultdict(dict)
        for name, part_scales in (("z", self.head), ("hidden", self.neuron)):
            for (layer, part), factor in sorted(part_scales.items()):
                if factor != 1:
                    of_parts[layer, name][int(part)] = factor
        for (layer, name), of_part in of_parts.items():
            factors, parts = np.array([*of_part.values()], np.float64), tuple(of_part)
            if name == "z":
                change = _change(np.multiply, factors[:, None, None], None, parts)
            else:
                change = replace(_change(np.multiply, factors, None, None), units=parts)
            functions[layer, name].append(change)
        for (layer, place), vector in sorted(self.resid.items(), key=lambda item: item[0]):
            functions[layer, "resid_pre"].append(put(vector, positions=place))
        for (name, layer), given in self.at.items():
            functions[layer, name] += given if isinstance(given, Sequence) else [given]
        return {place: tuple(chosen) for place, chosen in functions.items()}

    @cached_property
    def _key(self) -> tuple[tuple, frozenset]:
        """Return the settings of the whole run, and (layer, name, what is done) for each array that is changed."""
        values = (getattr(self, option.name) for option in fields(self))
        settings = tuple(value for value in values if not isinstance(value, Mapping))
        done = (
            (*place, *(function if isinstance(function, Change) else id(function) for function in functions))
            for place, functions in self.functions.items()
        )
        return settings, frozenset(done)

    def first_layer_apart(self, other: "Edits", n_layers: int) -> int:
        """Return the first layer in which runs with these edits and with `other` may differ, or n_layers."""
        (settings, done), (others, also_done) = self._key, other._key
        if settings != others:
            return 0
        return min((layer for layer, *_ in done ^ also_done), default=n_layers)

    @property
    def settings(self) -> tuple:
        """Return what holds for the whole run: positions, RoPE, the mask, the scale, norms and sums."""
        return self._key[0]

    @cached_property
    def token_by_token(self) -> bool:
        """Return whether results for the tokens of a text stay valid when more tokens follow."""
        own = (function for functions in self.functions.values() for function in functions)
        return self.causal_mask and all(isinstance(function, Change) for function in own)

    def whole_text(self, layer: int, names: Iterable[str]) -> bool:
        """Return whether a function at one of these arrays needs the rows of all tokens."""
        return any(
            not isinstance(function, Change)
            for name in names
            for function in self.functions.get((layer, name), ())
        )

    def apply(self, layer: int, places: Sequence[int], name: str, array: np.ndarray) -> np.ndarray:
        """Return what replaces an array of a layer, given the rows of the tokens at `places`."""
        for function in self.functions.get((layer, name), ()):
            if isinstance(function, Change):
                array = function(array, places)
            else:
                array = self._checked(function, array, name, layer)
        return array

    def _checked(self, function: Function, array: np.ndarray, name: str, layer: int) -> np.ndarray:
        """Return a copy of what a reader's function returns. ValueError if it cannot replace the array."""
        given = function(array.copy("K"))  # the function may write into its argument
        changed = np.asarray(given)
        who = f"the function at {name!r} of layer {layer}"
        if changed.shape != array.shape or changed.dtype.kind not in "fiu":
            got = _described(changed) if isinstance(given, np.ndarray) else repr(given)
            raise ValueError(
                f"{who} must give an array of numbers of the shape it gets, {array.shape}; it gave {got}"
            )
        with np.errstate(over="ignore"):
            changed = np.array(changed, np.float32)
        finite = np.isfinite(changed)
        if name == "scores":  # −∞ hides a key, as in the mask
            off = np.isneginf(changed)
            unseen = off | ~np.tri(*changed.shape[1:], dtype=np.bool) if self.causal_mask else off
            if unseen.all(axis=-1).any():
                raise ValueError(f"{who} leaves a query no key to attend to")
            finite |= off
        if not finite.all():
            raise ValueError(f"{who} must give finite numbers; {int((~finite).sum())} of its are not")
        return changed

    # --- is it possible? ---------------------------------------------------------------------------------------------

    def in_text(self, config: Config, seq: int) -> "Edits":
        """Return the same for a text of `seq` tokens, with all positions counted from its start.

        ValueError if the edits name something that the model or such a text does not have, or a vector has a wrong
        length.
        """
        layers = [*self.attention, *self.ffn]
        for kind, n, edits in (
            ("head", config.n_heads, self.head),
            ("neuron", config.d_ff, self.neuron),
            ("position", seq, self.resid),
        ):
            for key in edits:
                if not isinstance(key, tuple) or len(key) != 2:
                    raise ValueError(f"name a layer and a {kind}, such as (3, 0); got {key!r}")
                layers.append(key[0])
                index_of(kind, key[1], n, negative=kind == "position")
        for place in self.at:
            if not isinstance(place, tuple) or len(place) != 2 or place[0] not in ARRAYS:
                raise ValueError(
                    f"at takes (name, layer), the name being one of {', '.join(ARRAYS)}; got {place!r}"
                )
            layers.append(place[1])
        for layer in layers:
            index_of("layer", layer, config.n_layers, negative=False)
        for vector in self.resid.values():
            if np.shape(vector) != (config.d_model,) or not np.isfinite(vector).all():
                raise ValueError(f"a resid edit needs a vector of {config.d_model} finite numbers")
        scales = [*self.head.values(), *self.attention.values(), *self.ffn.values(), *self.neuron.values()]
        for factor in [*scales, self.position_scale, self.position_shift]:
            if not isinstance(factor, Real) or not np.isfinite(factor):
                raise ValueError(f"scales and shifts are finite numbers; got {factor!r}")
        at = {}
        for (name, layer), given in self.at.items():
            at[name, layer] = functions = [*given] if isinstance(given, Sequence) else [given]
            for i, edit in enumerate(functions):
                if isinstance(edit, Change):
                    edit.check(name, config)
                    functions[i] = edit.in_text(seq)
                elif not callable(edit):
                    raise ValueError(f"at takes functions; at {name!r} of layer {layer} it got {edit!r}")
        resid = {
            (layer, index_of("position", at_token, seq)): vector
            for (layer, at_token), vector in self.resid.items()
        }
        return replace(self, resid=resid, at=at)


def index_of(kind: str, index: int, n: int, *, negative: bool = True) -> int:
    """Return the index counted from the start; a negative one counts from the end. ValueError if it is out of range."""
    if not isinstance(index, int | np.integer) or not (-n if negative else 0) <= index < n:
        raise ValueError(f"there is no {kind} {index!r}; they go from 0 to {n - 1}")
    return int(index) % n


def _described(array: np.ndarray) -> str:
    return f"an array of shape {array.shape} and type {array.dtype}"
