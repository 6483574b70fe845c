"""What a teacher prints: the steps of each lesson, and a worksheet for the students with its answers.

    python -m llmviz.classroom.worksheets -o sheets

Each is one HTML file. On A4, the steps of a lesson, which come from docs/teaching.md, take one page. A worksheet takes
two, and the model computes its numbers when the file is written.
"""

from __future__ import annotations

import argparse
import html
import math
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

import llmviz
from llmviz import attention, experiments, tokenization
from llmviz.claims.cases import ARTICLES
from llmviz.classroom.lessons import GUIDE, LESSONS, Lesson, with_headings
from llmviz.model import Model, Trace
from llmviz.page.write import markdown2html_mistune
from llmviz.sampling import Sampler

CSS = (Path(__file__).parent / "static" / "worksheet.css").read_text("utf-8")
TO_MERGE = (" strawberry", " homework", " friend", " tomorrow", " elephant")
TO_CUT = (
    "The cat sat on the mat.",
    "Unbelievable! It costs 1234567 dollars.",
    "I LOVE STRAWBERRIES",
    "antidisestablishmentarianism",
)
LANGUAGES = ("English", "Spanish", "Chinese", "Russian", "Korean", "Hindi", "Amharic")
SENTENCE, PARTNER = "The cats that I saw yesterday were sleeping", "The cat that I saw yesterday"
RAINY, BEST = "On a rainy day I like to", "The best thing about a rainy day is"
# Both attend strongly to the noun. Patched on its own, the first changes next to nothing, the second the verb (page 4).
LOOKS, SPEAKS = (13, 8), (26, 0)
SUMS = ("1 + 1 = ", "2 + 2 = ", "3 + 2 = ", "4 + 3 = ")
DICE = 36  # outcomes of two dice that are thrown one after the other


def write_all(model: Model, folder: Path) -> list[Path]:
    """Write the steps of each lesson and the worksheets into a folder, which is created if it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        f"lesson_{number}": steps_page(title, steps)
        for number, (title, steps) in enumerate(lessons_in(with_headings(GUIDE.read_text("utf-8"))), start=1)
    }
    for name, sheet in SHEETS.items():
        pages = sheet(model, False), sheet(model, True)
        texts[f"worksheet_{name}"] = worksheet(LESSONS[name], *pages, model.name)
    files = [folder / f"{name}.html" for name in texts]
    for file, text in zip(files, texts.values()):
        file.write_text(text, "utf-8")
    return files


def lessons_in(guide: str) -> list[tuple[str, str]]:
    """Return the title of each lesson in the teacher's guide, and what is below it, as Markdown."""
    return re.findall(r"^## (Lesson \d[^\n]*)\n(.*?)(?=^## |\Z)", guide, re.MULTILINE | re.DOTALL)


def steps_page(title: str, steps: str) -> str:
    """Return the teacher's page of a lesson. Its links become bold, because paper has none."""
    body = markdown2html_mistune(re.sub(r"\[([^]]+)\]\([^)]+\)", r"**\1**", steps))
    title = html.escape(title)
    return document(title, f'<main class="steps"><header><h1>{title}</h1></header>{body}</main>')


def worksheet(lesson: Lesson, questions: str, answers: str, model: str) -> str:
    """Return both pages of a worksheet as one document."""
    title = html.escape(lesson.title)
    return document(
        title,
        f'<main>\n<article><header><h1>{title}</h1><p>Name <span class="line"></span></p></header>{questions}</article>'
        f"\n<article><header><h1>Answers: {title}</h1></header>{answers}</article>\n</main>\n"
        f"<footer>All numbers: {html.escape(model)}, computed by llmviz.</footer>",
    )


def document(title: str, body: str) -> str:
    """Return a document to print."""
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{title}</title>\n<style>{CSS}</style>\n'
        f"{body}\n</html>\n"
    )


def token(model: Model, solved: bool) -> str:
    """Return the exercises: merge a word, cut sentences, guess what languages cost."""
    encode = model.tokenizer.encode
    all_steps = [model.tokenizer.merges(word) for word in TO_MERGE]
    merges = []
    for number, (step, *_) in enumerate(all_steps, start=1):  # a later step would show what this one merged
        lowest = min(i for i in step.known if i is not None)
        parts = [f"<b>{shown(tokenization.readable(part))}</b>" for part in step.parts]
        ids = [
            f"<i{' class=pick' * (solved and i == lowest)}>{'–' if i is None else i}</i>"
            for i in (*step.known, "")
        ]
        merges.append(f'<p class="merge">{number}. {"".join(map("".join, zip(parts, ids)))}</p>')
    steps = all_steps[0]
    end = (len(steps) - 1, len(steps[-1].parts)) if solved else (blank(), blank())
    cuts = [
        [strip(model.tokenizer.pieces(encode(text))) if solved else f"<code>{shown(text)}</code>",
         blank(), len(encode(text)) if solved else blank()]
        for text in TO_CUT
    ]  # fmt: skip
    cost = {language: len(encode(ARTICLES[language][0])) for language in LANGUAGES}
    most, frame = max(cost.values()), 200
    bars = [
        [language, f'<bdi class="small">{html.escape(ARTICLES[language][0])}</bdi>',
         bar(n / frame if solved or language == "English" else None, 4),
         n if solved or language == "English" else blank()]
        for language, n in cost.items()
    ]  # fmt: skip
    times = f"{most / cost['English']:.1f}" if solved else blank()
    return (
        f"<h2>1 Merge</h2><p>Between two neighbours is the id of the token that they would form; – means that there is "
        f"no such token. The pair with the <b>lowest</b> id is merged. In each word, circle the id that is merged "
        f"first. Then watch the next steps on page 1. The first word takes {end[0]} steps until no pair is left, and "
        f"ends as {end[1]} tokens.</p>"
        + "".join(merges)
        + "<h2>2 Cut</h2><p>Draw lines where you expect the cuts, and guess the number of tokens. · is a space.</p>"
        + table(["", "my guess", "tokens"], cuts)
        + "<h2>3 Who pays?</h2><p>One sentence in seven languages. Draw the bars that you expect, and write the "
        f"number of tokens next to each. A frame is {frame} tokens wide, with a line at every {frame // 4}. The most "
        f"expensive language costs {times} times as much as English.</p>"
        + table(["", "", "", "tokens"], bars)
    )


def attention_(model: Model, solved: bool) -> str:
    """Read three heads, and guess what patching two of them does."""
    run = model.trace(SENTENCE)
    patterns = np.stack([block.attention.pattern for block in run.blocks])
    before = strongest(patterns, attention.previous_token_score)
    rests = strongest(patterns, attention.first_token_score)
    heads = dict(zip("ABC", (before, LOOKS, rests)))
    what = {
        "attends mostly to the token just before": "A",
        "attends mostly to the first token": "C",
        "attends from the verb to its noun": "B",
    }
    grids = "".join(
        f"<figure><figcaption>Head {name}{f': L{head[0]}·H{head[1]}' * solved}</figcaption>{grid(run, *head)}</figure>"
        for name, head in heads.items()
    )
    (was,) = model.tokenizer.encode(" was")
    cats = model.trace(" ".join(SENTENCE.split()[:6]))
    brought = experiments.head_outputs(model.trace(PARTNER))
    runs = {
        "unchanged": cats,
        **{
            f"L{head[0]}·H{head[1]} passes on what it would for “cat”": model.trace(
                cats.tokens, experiments.patch_heads(brought, [head])
            )
            for head in (LOOKS, SPEAKS)
        },
    }
    likely = [
        [
            name,
            f"{100 * experiments.attention_from(cats, -1)[*head, 1]:.0f}%" if head else "",
            blank(),
            f"{100 * experiments.probability(run, was):.1f}%" if solved or not head else blank(),
        ]
        for (name, run), head in zip(runs.items(), (None, LOOKS, SPEAKS))
    ]
    row = patterns[*LOOKS][run.pieces.index(" were")]
    reading = [
        ["In head B, “were” attends most to", shown(run.pieces[row.argmax()]) if solved else blank()],
        ["The attention weights of “were” add up to", "100%" if solved else blank()],
        ["Why is the upper right empty?", "a token can’t attend to later ones" if solved else blank()],
    ]
    return (
        "<h2>1 Read three heads</h2><p>Each row is a token that attends, each column one that it attends to. The "
        f'numbers are attention weights in %; a cell below 1% is empty.</p><div class="grids">{grids}</div>'
        + table(
            [],
            [
                *reading,
                *([f"Which head {said}?", name if solved else blank()] for said, name in what.items()),
            ],
        )
        + "<h2>2 Does attention matter?</h2><p>After <i>The cats that I saw yesterday</i> “were” is likelier than "
        "“was”. Now <b>one</b> head passes on what it would pass on in the same sentence with “cat”. Guess how likely "
        "“was” is then.</p>"
        + table(["", "attention to “cats”", "my guess", "probability of “was”"], likely)
        + "<h2>3 In one sentence</h2><p>“The model understands grammar, because a head attends from the verb to its "
        "noun.” What is missing in this argument?</p>"
        + (
            "<p>A test. Attention is only a hint: two heads attend to “cats” about equally. Replacing what "
            "one passes on changes almost nothing. Doing it with the other makes “was” the likelier verb. And one "
            "sentence isn’t evidence. Better: switch heads off, or replace what they pass on, in many sentences, "
            "and compare with random heads.</p>"
            if solved
            else "<p class=write></p><p class=write></p>"
        )
    )


def temperature(model: Model, solved: bool) -> str:
    """Draw bars for two more temperatures, sample with two dice, and ask about sums."""
    logits = model.trace(RAINY).logits
    likeliest = np.argsort(-logits)[:6]
    pieces = model.tokenizer.pieces(likeliest.tolist())
    probs = {t: Sampler(temperature=t).probs(logits) for t in (0.5, 1, 2)}
    tens = math.ceil(10 * max(p.max() for p in probs.values()))  # the width of the frame
    rows = [
        [f"<code>{shown(piece)}</code>"]
        + [
            (bar(10 * float(p[i]) / tens, tens) + f" {100 * p[i]:.1f}%")
            if solved or t == 1
            else bar(None, tens) + f" {blank()}"
            for t, p in probs.items()
        ]
        for piece, i in zip(pieces, likeliest)
    ]
    rest = ["all others"] + [
        f"{100 * (1 - p[likeliest].sum()):.1f}%" if solved or t == 1 else blank() for t, p in probs.items()
    ]
    games = []
    for t in (0.5, 1):
        shares = dice(Sampler(temperature=t).probs(model.trace(BEST).logits), 7)
        named = [
            [
                "another token" if i is None else f"<code>{shown(model.tokenizer.pieces([i])[0])}</code>",
                throws,
                "",
            ]
            for i, throws in shares
        ]
        games.append(f"<div><b>temperature {t:g}</b>{table(['', 'throws', 'hits'], named)}</div>")
    first = {text: model.tokenizer.pieces([int(model.trace(text).logits.argmax())])[0] for text in SUMS}
    spaced = {
        text: model.tokenizer.pieces([int(model.trace(f" {text}").logits.argmax())])[0] for text in SUMS
    }
    sums = [
        [
            f"<code>{shown(text)}</code>",
            blank(),
            first[text] if solved else blank(),
            spaced[text] if solved else blank(),
        ]
        for text in SUMS
    ]
    return (
        f"<h2>1 Turn the temperature</h2><p>After <i>{RAINY}</i> the model gives these probabilities at temperature 1. "
        f"Guess those at 0.5 and at 2: draw the bars, and write a number next to each. A frame is {10 * tens}% wide, "
        "with a line at each 10%. Does the order stay?</p>"
        + table(["", "temperature 0.5", "temperature 1", "temperature 2"], [*rows, rest])
        + f"<h2>2 Draw the token yourself</h2><p>The text is <i>{BEST}</i>. Throw two dice, one "
        "after the other: 2 and then 5 is 25. Each token gets its share of the 36 throws, rounded down. The throws "
        "that are left go, one each, to the tokens that lost most by rounding. Throw ten times for each table, and "
        "tally. Which temperature gives you more different tokens?</p>"
        f'<div class="games">{"".join(games)}</div>'
        + "<h2>3 Sure, or right?</h2><p>Temperature 0: always the likeliest token. What does the model write, "
        "first without and then with a space before the sum? (· is a space; the last one belongs "
        "to the text.) Look it up on page 6: type the sum into the box of <i>Change the temperature</i> and press "
        "Enter. The top bar is what it writes.</p>"
        + table(["", "my guess", "it writes", "after a space"], sums)
    )


SHEETS: dict[str, Callable[[Model, bool], str]] = {
    "token": token,
    "attention": attention_,
    "temperature": temperature,
}


# ---- what sheets are made of ----


def shown(piece: str) -> str:
    """Return a piece with its spaces made visible, as HTML."""
    return html.escape(piece.replace(" ", "·"))


def blank() -> str:
    return '<span class="blank"></span>'


def strip(pieces: Iterable[str]) -> str:
    """Draw tokens side by side."""
    return "".join(f'<code class="piece">{shown(piece)}</code>' for piece in pieces)


def bar(share: float | None, parts: int) -> str:
    """Draw a frame divided into `parts`, with a share of it filled; None leaves it empty for the student."""
    width = 0 if share is None else 100 * share
    return f'<span class="bar" style="--parts:{parts}"><span style="width:{width:.1f}%"></span></span>'


def table(head: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    named = "".join(f"<th>{cell}</th>" if cell else "<td></td>" for cell in head)
    top = f"<tr>{named}</tr>" if head else ""
    return f"<table>{top}{''.join('<tr>' + ''.join(f'<td>{c}</td>' for c in row) + '</tr>' for row in rows)}</table>"


def grid(run: Trace, layer: int, head: int) -> str:
    """Draw a head's pattern in whole %, as a table."""
    names = [shown(piece) for piece in run.pieces]
    rows = []
    for i, row in enumerate(run.blocks[layer].attention.pattern[head]):
        cells = "".join(
            f'<td style="background:rgb(0 0 0/{0.45 * share:.2f})">{f"{100 * share:.0f}" if share >= 0.01 else ""}</td>'
            if j <= i
            else "<td></td>"
            for j, share in enumerate(row)
        )
        rows.append(f"<tr><th>{names[i]}</th>{cells}</tr>")
    top = "".join(f"<th>{name}</th>" for name in names)
    return f'<table class="grid"><tr><td></td>{top}</tr>{"".join(rows)}</table>'


def strongest(patterns: np.ndarray, score: Callable) -> tuple[int, int]:
    """Return the head with the highest score. patterns: [layers, heads, seq, seq]."""
    scores = np.array([score(layer) for layer in patterns])
    layer, head = np.unravel_index(scores.argmax(), scores.shape)
    return int(layer), int(head)


def dice(probs: np.ndarray, n: int) -> list[tuple[int | None, str]]:
    """Return the n likeliest tokens with their throws of two dice, "11–23", and the rest (None).

    Shares are rounded so that they add up to all 36 throws (largest remainders). A token without a throw is left out.
    """
    likeliest = np.argsort(-probs)[:n]
    shares = DICE * np.append(probs[likeliest], 1 - probs[likeliest].sum())
    throws = np.floor(shares).astype(int)
    throws[np.argsort(throws - shares)[: DICE - throws.sum()]] += 1
    ends = np.cumsum(throws)
    name = [f"{i // 6 + 1}{i % 6 + 1}" for i in range(DICE)]
    return [
        (token, name[end - 1] if n_throws == 1 else f"{name[end - n_throws]}–{name[end - 1]}")
        for token, n_throws, end in zip([*likeliest.tolist(), None], throws, ends)
        if n_throws
    ]


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m llmviz.classroom.worksheets",
        description="Write what you print for the lessons: your steps, one page for each lesson, and a worksheet for "
        "each with the answers on its second page.",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("llmviz-worksheets"),
        metavar="FOLDER",
        help="default: %(default)s",
    )
    folder = parser.parse_args(argv).output
    try:
        for file in write_all(llmviz.load(), folder):
            print(file)
    except OSError as error:
        print(f"Cannot write to {folder} ({error.strerror}). Choose another folder with -o.", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
