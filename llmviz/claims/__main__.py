"""Measure claims and print how they come out: `python -m llmviz.claims [PAGE …] [--cases FILE] [--write] [--stale]`."""

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import llmviz
from llmviz import local_models, weights
from llmviz.claims import CLAIMS, Claim, Outcome, stored


def claims_named(wanted: Sequence[str]) -> dict[str, list[Claim]]:
    """Return the claims of some pages ("05") or single ones ("05.head_patched"); of all pages, if none is named.

    ValueError if there is no such page or claim.
    """
    claims_of: dict[str, list[Claim]] = {}
    for name in wanted or CLAIMS:
        page = name.partition(".")[0]
        claims = [claim for claim in CLAIMS.get(page, ()) if name in (page, f"{page}.{claim.name}")]
        if not claims:
            raise ValueError(f"There is no page or claim {name}. The pages are {', '.join(CLAIMS)}.")
        claims_of.setdefault(page, []).extend(claims)
    return claims_of


def read_cases(path: Path) -> dict[str, Any]:
    """Read cases: texts between blank lines, words one a line, or {name: case} from a .json file.

    ValueError for a file without cases, that is not UTF-8, or whose JSON is not such a dictionary; OSError if it
    cannot be read.
    """
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"Cannot read {path}: it is not a text in UTF-8. Save it as plain text.") from error
    if path.suffix == ".json":
        try:
            cases = json.loads(text)
        except json.JSONDecodeError as error:
            advice = "Correct it, or give texts in a .txt file."
            raise ValueError(f"Cannot read {path}: it is not valid JSON ({error}). {advice}") from error
        if not isinstance(cases, dict):
            raise ValueError(f"{path} must hold {{name: case}}; it holds a {type(cases).__name__}.")
        cases = {name: tuple(case) if isinstance(case, list) else case for name, case in cases.items()}
    else:
        words = all(len(line.split()) < 2 for line in text.splitlines())
        parts = (part.strip("\n") for part in (text.split() if words else text.split("\n\n")))
        cases = {part if len(part) <= 40 else f"{part[:39]}…": part for part in parts if part.strip()}
    if not cases:
        raise ValueError(f"{path} has no cases in it.")
    return cases


def kind(case: Any) -> str:
    """Return "text", "word" or the name of another type; of a tuple, that of each part."""
    if isinstance(case, str):
        return "text" if len(case.split()) > 1 else "word"
    return str([kind(part) for part in case]) if isinstance(case, tuple) else type(case).__name__


def fits(claim: Claim, cases: Mapping[str, Any], *, chosen: bool) -> bool:
    """Say whether a claim can be measured on other cases. chosen: it was named by itself, not with its page.

    A text is no case of what is asked of pairs of words, sums or families, although these are strings, too.
    """
    kinds, own_kinds = (set(map(kind, each.values())) for each in (cases, claim.cases))
    if "text" not in kinds:
        return kinds <= own_kinds
    if claim.over.endswith(("texts", "sentences")):
        return "text" in own_kinds and kinds <= own_kinds | {"word"}
    lengths, own_lengths = (
        {len(str(case).split()) for case in each.values()} for each in (cases, claim.cases)
    )
    return kinds <= own_kinds and (lengths == own_lengths if len(own_lengths) == 1 else chosen)


def show(claim: Claim, outcome: Outcome, seconds: float, cases: Mapping[str, Any] | None) -> None:
    """Print how a claim came out. cases: those it was measured on, None for its own."""
    values = outcome.values
    held = (
        "DOES NOT HOLD"
        if outcome.problems
        else "measured"
        if cases and not claim.bounds.says_of_others
        else "holds"
    )
    lines = [claim.sentence, f"    {held}: {claim.result(outcome)}"]
    if left_out := [name for name in cases or () if name not in values]:
        lines.append(f"    It can't be asked of {', '.join(left_out)}.")
    if claim.control and not outcome.controls:
        lines.append(f"    The control ({claim.control[0]}) could not be measured on these cases.")
    if values and not claim.yes_or_no:
        low, high = (end(values, key=values.__getitem__) for end in (min, max))
        lines.append(f"    from {values[low]:.4g} ({low}) to {values[high]:.4g} ({high})")
    lines += [f"    ! {problem}" for problem in outcome.problems]
    print("", *lines, f"    [{seconds:.0f} s]", sep="\n  ", flush=True)


def measure(options: argparse.Namespace) -> int:
    """Measure and print the claims; return how many do not hold."""
    pages, cases = claims_named(options.pages), None
    if options.cases:
        cases, n_chosen = read_cases(options.cases), sum(map(len, pages.values()))
        for page, claims in pages.items():
            pages[page] = [c for c in claims if fits(c, cases, chosen=f"{page}.{c.name}" in options.pages)]
        if not any(pages.values()):
            advice = "Give texts between blank lines, words one a line, or {name: case} in a .json file."
            raise ValueError(f"No claim fits the cases in {options.cases}. {advice}")
        print(
            f"{sum(map(len, pages.values()))} of {n_chosen} claims have such cases; the others are skipped."
        )
    path = local_models.find().path
    sha256 = weights.sha256_of(path)
    results = stored.results_path(path.name, sha256)
    stored_pages = stored.load(results) if results.exists() else {}
    model, broken = llmviz.load(), 0
    for page, claims in pages.items():
        print(f"\n{page}", flush=True)
        rows = {}
        for claim in claims:
            old = stored_pages.get(page, {}).get(claim.name)
            if options.stale and old and old["key"] == stored.key(claim, sha256):
                rows[claim.name] = old
                continue
            start = time.perf_counter()
            try:
                outcome = claim.measure(model, cases)
            except ValueError as error:
                if not cases:
                    raise
                print(
                    f"\n  {claim.sentence}\n    skipped, because these cases don't fit: {error}", flush=True
                )
                continue
            show(claim, outcome, time.perf_counter() - start, cases)
            broken += not outcome.holds
            rows[claim.name] = stored.result_row(claim, outcome, sha256)
        if options.write:
            stored.save({page: rows}, results)
    return broken


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 1 if a claim does not hold, 2 for a wrong argument."""
    parser = argparse.ArgumentParser("python -m llmviz.claims", description="Measure what the pages say.")
    parser.add_argument(
        "pages",
        nargs="*",
        metavar="PAGE",
        help="a page such as 05, or a claim such as 05.head_patched (default: all pages)",
    )
    parser.add_argument(
        "--cases",
        type=Path,
        metavar="FILE",
        help="your own cases: texts between blank lines, a word on each line, or {name: case} in a .json file",
    )
    parser.add_argument("--write", action="store_true", help="store the results of these pages")
    parser.add_argument(
        "--stale", action="store_true", help="measure only claims whose stored result is out of date"
    )
    options = parser.parse_args(arguments)
    if options.stale and options.cases:
        parser.error(
            "--stale and --cases cannot be combined, because only results on the claims' own cases are stored"
        )
    if options.write and (options.cases or any("." in page for page in options.pages)):
        parser.error("--write stores whole pages on their own cases, so name pages, and leave out --cases")
    try:
        return int(measure(options) > 0)
    except (ValueError, OSError) as error:
        print(f"python -m llmviz.claims: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
