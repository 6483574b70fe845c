"""One look for every picture: sizes, stage colours, two colour scales, and the same for matplotlib.

This file is the only place where a colour or a type size is written down. The widgets get them from here as CSS
variables (`css`), and in `static/theme.js`, which tests/bundle.py writes; matplotlib gets them through `print_style`.
"""

from __future__ import annotations

MAX_TOKENS = 512  # Of longer texts, the first 512 are drawn, and the picture says so.

STAGES = ("tokenization", "embeddings", "position", "attention", "ffn", "sampling")

# An accent colour for each stage, (light, dark): the Okabe-Ito set, which the colour-blind can tell apart, changed a
# little where text in it would be too faint (it needs 4.5 : 1 against the page in both themes).
STAGE_COLORS = {
    "tokenization": ("#0072B2", "#4FA9E3"),
    "embeddings": ("#00805D", "#35BF95"),
    "position": ("#946600", "#E69F00"),
    "attention": ("#8E4EC6", "#B98AE8"),
    "ffn": ("#BC5200", "#F5894D"),
    "sampling": ("#C53874", "#F07FB0"),
    "training": ("#556270", "#A9B4C0"),  # grey: not a stage, but what shapes all six
}

# Pixels. `piece` is what must be readable from the back row; nothing is set smaller than `small`.
SIZES = {"title": 20, "body": 16, "piece": 18, "small": 14}

FONTS = {
    "ui": "var(--jp-ui-font-family, system-ui, -apple-system, 'Segoe UI', sans-serif)",
    # for pieces: a monospace face first, then whatever font has the script or the emoji
    "mono": "var(--jp-code-font-family, ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace), "
    "system-ui, sans-serif",
}

# Surfaces and ink, (light, dark).
SURFACES = {
    "ink": ("#1B1F24", "#EAEEF2"),
    "quiet": ("#57606A", "#A3ACB6"),  # captions, ids, axes
    "line": ("#D5DAE0", "#343B44"),
    "card": ("#F7F8FA", "#191E24"),
    "page": ("#FFFFFF", "#111418"),  # empty chips and cells
    "query": ("#9B1F72", "#EE8FD0"),  # where queries and keys are drawn: colours of no sign and no stage
    "key": ("#00767B", "#45C5C9"),
}

# Saturation and lightness of tokens that have a hue of their own, (light, dark): of the chip, and of its border.
TOKENS = {"token": ("75% 89%", "38% 25%"), "token-line": ("45% 70%", "38% 42%")}

# The scales have a fixed meaning everywhere: sequential = "how much" (weights and probabilities, 0 to 1, never
# negative); diverging = signed numbers, orange below zero, blue above, zero in the middle. Stops are evenly spaced.
SEQUENTIAL = {
    "light": ("#F4F6F9", "#D3E1EE", "#A3C1DD", "#6C9CC9", "#2F70AC", "#08519C", "#073B75"),
    "dark": ("#1C2229", "#23384B", "#2A5275", "#3474A5", "#4A99D2", "#74C0F5", "#B5E0FF"),
}
DIVERGING = {
    "light": ("#8A3B00", "#C8651B", "#E8A26A", "#F4F2F0", "#7FB0DA", "#2C73B5", "#0B4079"),
    "dark": ("#FFC48F", "#F0934A", "#A85C22", "#20252B", "#2A6497", "#56A3E3", "#A9D6FF"),
}

# Groups of points: a colour (close to the Okabe-Ito set, and legible on light and dark) and a symbol; the last is for
# all further groups.
GROUPS = (
    ("#1F87C9", "circle"),
    ("#D55E00", "square"),
    ("#009E73", "diamond"),
    ("#BC6F9A", "cross"),
    ("#B07A00", "x"),
    ("#4590BA", "circle-open"),
    ("#9F6BD3", "square-open"),
    ("#74797F", "diamond-open"),
)

# Sliders, and text in matplotlib pictures (4.5 : 1 on a light page; in dark, style sheets invert the picture).
MID_GREY = "#70767C"

# White space made visible: its stand-in, and its name in the legend.
MARKS = {
    " ": ("·", "space"),
    "\n": ("⏎", "new line"),
    "\t": ("⇥", "tab"),
    "\u00a0": ("nbsp", "no-break space"),
}


def css() -> str:
    """Return the palette as CSS variables on `.llmviz`, light by default and dark under `[data-lv-theme=dark]`."""

    def block(index: int) -> str:
        pairs = {**SURFACES, **STAGE_COLORS, **TOKENS}
        return "".join(f"--lv-{name}:{pair[index]};" for name, pair in pairs.items())

    sizes = "".join(f"--lv-size-{name}:{px}px;" for name, px in SIZES.items())
    fonts = "".join(f"--lv-font-{name}:{family};" for name, family in FONTS.items())
    return f".lv-sized{{{sizes}}}\n.llmviz{{{sizes}{fonts}{block(0)}}}\n.llmviz[data-lv-theme=dark]{{{block(1)}}}\n"


def print_style(stage: str = "embeddings") -> None:
    """Let matplotlib draw in the kit's look from now on: transparent, readable on light and dark pages and on paper.

    So a figure needs only `plt.imshow(pattern)` or `plt.plot(loss)`; masked cells stay blank.
    """
    import matplotlib
    from matplotlib.colors import LinearSegmentedColormap

    accent, others = STAGE_COLORS[stage][0], [STAGE_COLORS[s][0] for s in STAGES if s != stage]
    if "llmviz" not in matplotlib.colormaps:
        matplotlib.colormaps.register(LinearSegmentedColormap.from_list("llmviz", SEQUENTIAL["light"]))
    inked = "text.color axes.labelcolor axes.titlecolor axes.edgecolor xtick.color ytick.color grid.color"
    matplotlib.rcParams.update(
        {
            **dict.fromkeys(("figure.facecolor", "axes.facecolor", "savefig.facecolor"), "none"),
            **dict.fromkeys(inked.split(), MID_GREY),
            "grid.alpha": 0.3,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.prop_cycle": matplotlib.cycler(color=[accent, *others]),
            "font.size": 13,
            "axes.titlesize": 15,
            "axes.titlelocation": "left",
            "figure.dpi": 110,
            "legend.frameon": False,
            "image.cmap": "llmviz",
            "image.interpolation": "nearest",
        }
    )
