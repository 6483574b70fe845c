"""Print how each conclusion of the pages comes out."""

import importlib
import sys
import time
from pathlib import Path

import llmviz

pages = sorted(Path(__file__).parent.glob("test_*.py"))
wanted = [page for page in pages if not sys.argv[1:] or any(name in page.stem for name in sys.argv[1:])]
model = llmviz.load()
for page in wanted:
    print(f"\n{page.stem.removeprefix('test_')}", flush=True)
    for conclusion in importlib.import_module(f"tests.claims.{page.stem}").CONCLUSIONS:
        start = time.perf_counter()
        print(f"  {conclusion(model)}  [{time.perf_counter() - start:.0f} s]", flush=True)
