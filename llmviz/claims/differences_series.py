"""What people say about models of this kind: much of it fails here, and `supports` is what would bear it out."""

from functools import partial
from itertools import islice

import numpy as np

from llmviz import experiments
from llmviz.claims import cases
from llmviz.claims.claim import YES, Bounds, Claim, above, below, following, remembered, section
from llmviz.experiments import answers, attention_behaviours, facts, lens, order, table, words, writing

costlier = remembered(experiments.n_costlier)
EIGHT = dict(islice(((name, text) for name, text in cases.TEXTS.items() if 20 < len(text) < 130), 8))
ANSWERS = answers.CAPITALS | cases.MORE_CAPITALS | cases.UNSEEN_CAPITALS | answers.SUMS | cases.HARDER_SUMS
on_eight = partial(Claim, over="texts", cases=EIGHT)
on_countries = partial(Claim, over="countries", cases=following(facts.CAPITALS), unit="percentage points")
said = partial(section, "What people say")

# By the notebook that says more.
SERIES = {
    "00": said(
        takes_shape=Claim(
            "Layer by layer, the answer takes shape.",
            "Rank the final prediction after each layer. Does it rise steadily: a correlation above 0.5 (1: always)?",
            partial(lens.rises, other=False),
            Bounds(supports=above(0.5), count=13, control=Bounds(supports=above(0.5), count=4)),
            over="texts",
            cases=dict(zip(cases.TEXTS, following(cases.TEXTS.values()).values())),
            control=("another text's prediction", partial(lens.rises, other=True)),
            unit="in rank correlation",
        ),
    ),
    "01": said(
        a_token_is_a_word=Claim(
            "A token is a word.",
            "Of the tokens that contain letters, are nine in ten whole words?",
            words.tokens_that_are_words,
            Bounds(supports=above(90), count=10, of=19),
            unseen_bounds=Bounds(supports=above(90), count=(3, 24), of=31),
            over="texts",
            cases=cases.TEXTS | cases.MORE_TEXTS,
            unseen=cases.UNSEEN_TEXTS,
        ),
        other_languages=Claim(
            "Other languages cost more tokens than English.",
            "Count the tokens of the same sentence in both.",
            words.surcharge,
            Bounds(supports=above(1.001), above_control=19),
            over="sentences",
            cases=cases.PARALLEL,
            control=("characters", lambda model, pair: len(pair[0]) / len(pair[1])),
            unit="times as many",
        ),
    ),
    "02": said(
        king_and_queen=Claim(
            "king − man + woman = queen.",
            "Ask every such question of a family of words. Are most answers right, and more than for “king + woman”?",
            table.sum_is_best,
            Bounds(supports=YES, count=4),
            over="families of words",
            cases=cases.FAMILIES,
        ),
    ),
    "03": said(
        bag_of_words=on_eight(
            "Without positions, a text is a bag of words.",
            "Switch RoPE off, shuffle all tokens but the last, and add up the probability that moves. Is it under 1%?",
            partial(order.moved_by_shuffling, causal_mask=True),
            Bounds(supports=below(1), count=0, control=Bounds(supports=below(1))),
            control=(
                "the same, and tokens may attend to later ones as well",
                partial(order.moved_by_shuffling, causal_mask=False),
            ),
        ),
    ),
    "04": said(
        attends_to_its_noun=Claim(
            "On average over all heads, “was” attends to its noun.",
            "In “The cat that I saw yesterday was”: the noun's mean weight, minus the largest of a word in between.",
            attention_behaviours.lead_of_the_noun,
            Bounds(supports=above(0), count=1, control=Bounds(supports=above(0))),
            over="nouns",
            cases=dict(zip(cases.SINGULAR, cases.SINGULAR)),
            control=(
                "layer 13, head 8",
                partial(attention_behaviours.lead_of_the_noun, heads=np.s_[13:14, 8:9]),
            ),
            unit="percentage points more",
        ),
        attention_shows=on_eight(
            "Attention shows what mattered.",
            "Leave out each token between the first and the last. How many hurt more than the most attended one?",
            lambda model, text: costlier(model, text)[0],
            Bounds(supports=(0, 0), count=3, control=Bounds(supports=(0, 0), count=6)),
            control=("the token before the last", lambda model, text: costlier(model, text)[1]),
            unit="tokens",
        ),
        induction_heads_copy=Claim(
            "Induction heads copy patterns.",
            "Repeat 20 random tokens, with the eight strongest such heads switched off. Is under half of the copying "
            "left, compared with eight others?",
            experiments.induction.copying_left,
            Bounds(supports=below(50)),
            over="random rows",
            cases={f"row {seed}": seed for seed in range(8)},
            unit="% of the control's copying",
        ),
    ),
    "05": said(
        facts_are_in_ffns=on_countries(
            "FFNs add what the model knows about a country; attention doesn't.",
            "Patch all FFNs but the first, which almost swaps the token, at a country from another's run: that "
            "one's capital, minus its own.",
            partial(facts.lead_of_the_twin, part="ffn_out", first=1),
            Bounds(supports=above(0), count=(3, 4), control=Bounds(supports=above(0), count=0)),
            control=("all attention", partial(facts.lead_of_the_twin, part="attention_out")),
        ),
    ),
    "06": said(
        sure_is_right=Claim(
            "A confident answer is a right one.",
            "Ask for capitals and sums in a chat. When the likeliest token has over 50%, is it right?",
            partial(answers.right_when, sure=True),
            Bounds(supports=YES, count=63, of=75, control=Bounds(supports=YES, count=13, of=17)),
            over="sure answers",
            cases={begun: (begun, right) for begun, right in ANSWERS.items()},
            control=("up to 50%", partial(answers.right_when, sure=False)),
        ),
        only_packaging=Claim(
            "The chat template is only packaging.",
            "Ask with the template and without it. Is the first token the same?",
            partial(writing.starts_the_same, other=""),
            Bounds(supports=YES, count=0, control=Bounds(supports=YES, count=11)),
            over="questions",
            cases=dict(zip(cases.QUESTIONS, cases.QUESTIONS)),
            control=(
                "with it, and “Please answer:”",
                partial(writing.starts_the_same, other="Please answer: "),
            ),
        ),
    ),
}
CLAIMS = tuple(claim for claims in SERIES.values() for claim in claims)
