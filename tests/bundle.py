"""Make one file of the JavaScript in `llmviz/views/static`: run `python tests/bundle.py` after a change there.

It needs Node, which fetches the bundler the first time. What it writes is committed, so nobody else needs Node:
`theme.js`, the colours and marks of `llmviz.views.kit.theme`, and `bundle.js`, which exports what draws each widget.
The first line of `bundle.js` is a digest of its sources.
"""

import hashlib
import json
import subprocess
from pathlib import Path

from llmviz.views.kit import theme
from llmviz.views.kit.drawn import STATIC

BUNDLE, THEME, LOADER = (STATIC / f"{name}.js" for name in ("bundle", "theme", "loader"))
BUNDLER = "esbuild@0.28.2"
OPTIONS = ("--bundle", "--format=esm", "--minify", "--charset=utf8", "--log-level=warning")


def theme_module() -> str:
    """Return `theme.js` as the theme is now: the scales, the white-space marks, the length limit."""
    constants = {
        "sequential": theme.SEQUENTIAL,
        "diverging": theme.DIVERGING,
        "marks": dict(theme.MARKS.values()),
        "maxTokens": theme.MAX_TOKENS,
        "stages": theme.STAGES,
        "groups": theme.GROUPS,
    }
    return f"// Written by tests/bundle.py from theme.py.\n\nexport const KIT = {json.dumps(constants)};\n"


def sources() -> list[Path]:
    """Return the scripts that are part of the bundle."""
    return sorted({*STATIC.rglob("*.js")} - {BUNDLE, LOADER})


def drawings() -> dict[str, Path]:
    """Return what draws each widget, by the `_static` of its class: a script, or the `index.js` of a folder."""
    scripts = {path.stem: path for path in STATIC.glob("*.js") if path not in (BUNDLE, THEME, LOADER)}
    return scripts | {path.parent.name: path for path in STATIC.glob("*/index.js")}


def index() -> str:
    """Return the module that exports what draws each widget."""
    paths = {name: path.relative_to(STATIC).as_posix() for name, path in sorted(drawings().items())}
    return "".join(f'export {{ render as {name} }} from "./{path}";\n' for name, path in paths.items())


def first_line() -> str:
    """Return the first line of a bundle of these sources, made in this way."""
    texts = {path.relative_to(STATIC).as_posix(): path.read_text("utf-8") for path in sources()}
    made_of = json.dumps([BUNDLER, OPTIONS, index(), texts])
    return f"// Written by tests/bundle.py from sources with the digest {hashlib.sha256(made_of.encode()).hexdigest()}"


def write() -> None:
    """Write both files."""
    THEME.write_text(theme_module(), "utf-8")
    command = ["npx", "--yes", BUNDLER, *OPTIONS, f"--banner:js={first_line()}", f"--outfile={BUNDLE}"]
    subprocess.run(command, input=index(), text=True, cwd=STATIC, check=True)


if __name__ == "__main__":
    write()
