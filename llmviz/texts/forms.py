"""What a story and a recipe look like, for `llmviz.texts.write`: how they begin and go on, and what is no good."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np


@dataclass(frozen=True)
class Form:
    """A kind of text. A plan is a list of openings; the model continues each by one sentence or line."""

    # The wish, as a user would say it; the openings.
    plan: Callable[[np.random.Generator], tuple[str, list[str]]]
    # (sentence so far, next piece, opening): whether the sentence is whole.
    ends: Callable[[str, str, str], bool]
    # (sentence, text before, sentences before): the broken rule.
    fault: Callable[[str, str, list[str]], str | None]
    text_fault: Callable[[str], str | None]  # the rule that a whole text breaks


# --- bedtime stories -------------------------------------------------------------------------------------------------

ANIMALS = "fox bear mouse rabbit duck owl cat dog frog hen pig lamb pony goat deer bird turtle squirrel hedgehog bee"
HE = "Pip Tom Ben Sam Max Leo Tim Bob Finn Oscar Teddy Jack"
SHE = "Lily Mia Rosie Anna Ella Lucy Nora Daisy Molly Ruby Emma Dora"
HOMES = (
    "in a green forest|by a quiet river|on a small farm|in a sunny garden|under a big tree|in a little red house"
    "|on a high hill|near a blue lake|at the edge of the woods|in a cozy barn|behind a stone wall|in a field of flowers"
)
LIKES = "to play|to run|to sing|to dance|to look at|to swim in|to sit|to jump|to read|to help|to walk|to draw"
COLOURS = "red blue yellow green white brown golden"
TOYS = "ball hat kite scarf boat blanket bell book button cup"
DAYS = "One day,|One morning,|One sunny day,|One rainy day,|One evening,|One cold day,"
TROUBLES = (
    "{N} could not find {his} {colour} {toy}.|{N} lost {his} {colour} {toy}.|{N} found a {colour} {toy}."
    "|{N} heard a strange sound.|{N} saw a bright light.|{N} could not sleep.|{N} wanted to go to the moon."
    "|{N} felt very sad.|{N} felt lonely.|{N} was afraid of the dark.|{N} wanted to make a cake."
    "|{N} wanted to learn to swim.|{N} wanted to learn to sing.|{N} got lost.|{N} lost the way home."
    "|{N} found a tiny seed.|{N} broke {his} {colour} {toy}.|{N} wanted to count the stars.|{N} found a shiny stone."
    "|{N} saw snow for the first time.|{N} was very hungry.|{N} wanted to build a little house."
    "|{N} got a letter from a friend.|{N} wanted to find a new friend.|{N} fell into the mud."
)
HELPERS = (
    "a wise old owl|a kind bear|a small frog|a slow turtle|a friendly bee|a big horse|a busy ant"
    "|a gray goose|a happy bird|a white sheep|a shy deer|a funny monkey|a quiet snail|a young cow"
    "|a kind grandmother|a tall giraffe"
)
ENDS = "happy|safe and warm|very tired|glad|calm|proud|full of joy|cozy"


def pick_with(rng: np.random.Generator, choices: str) -> str:
    words = choices.split("|" if "|" in choices else " ")
    return words[rng.integers(len(words))]


def story_plan(rng: np.random.Generator) -> tuple[str, list[str]]:
    pick = partial(pick_with, rng)
    he = rng.random() < 0.5
    name, animal, helper, home = pick(HE if he else SHE), pick(ANIMALS), pick(HELPERS), pick(HOMES)
    his = "his" if he else "her"
    friend = helper.split(" ")[-1]
    trouble = pick(TROUBLES).format(N=name, his=his, colour=pick(COLOURS), toy=pick(TOYS))
    if animal == friend:
        animal = "kitten"
    wish = (
        f"Tell me a bedtime story about a little {animal} named {name} who lives {home}. {trouble} "
        f"Then {name} meets {helper}. Use simple words and short sentences."
    )
    asked = pick(f'"Can you help me?" asked {name}.|"Hello," said {name}.|"Who are you?" asked {name}.')
    said = pick(
        f'"Yes," said the {friend}. "I|"Of course," said the {friend}. "We can|"Do not worry," said the {friend}. "You'
    )
    plan = [
        f"Once upon a time, there was a little {animal} named {name}. {name} lived {home}. {name} liked {pick(LIKES)}",
        f"\n{pick(DAYS)} {trouble}",
        pick("| So| But"),
        f"\nThen {name} met {helper}.",
        f" {asked}",
        f" {said}",
        f"\nSo {name} and the {friend}",
        pick("| They| First, they"),
        f"\nAt last, {pick(f'{name}|they|the {friend}')}",
        f' "Thank you," said {name}. "You',
        f"\nThat night, {name} was {pick(ENDS)}.",
        f" {pick('He' if he else 'She')} closed {his} eyes and",
    ]
    return wish, plan


def story_fault(sentence: str, before: str, sentences: list[str]) -> str | None:
    if not 3 <= len(words(sentence)) <= 24:
        return "length"
    alone = re.search(r"(?<![a-z])'|'(?![a-z])", sentence)  # an apostrophe that is a quotation mark
    if (
        not re.fullmatch(r"[A-Za-z \",.!?'\n]*[.!?]\"?", sentence)
        or alone
        or (before + sentence).count('"') % 2
    ):
        return "characters"
    if "\n" in sentence.strip():
        return "a paragraph inside"
    if set(re.findall(r"(?<=[a-z,] )[A-Z][a-z]+", sentence)) - set(re.findall("[A-Za-z]+", before)):
        return "a new name"
    if re.search(rf"\b(eat|ate|cook)\w*\b.*\b({'|'.join(ANIMALS.split())})", sentence):
        return UNFIT_RULE
    others = [*sentences, *re.split(r"[.!?\n]", before)]
    return unfit(sentence) or too_long_a_word(sentence) or said_before(sentence, others)


# --- recipes ---------------------------------------------------------------------------------------------------------

DISHES = {
    "Pancakes": "Banana Apple Blueberry Pumpkin Oat Cheese Carrot Lemon",
    "Soup": "Carrot Tomato Potato Pumpkin Pea Bean Onion Corn Noodle Mushroom Rice Lentil",
    "Salad": "Potato Tomato Carrot Cucumber Bean Corn Apple Rice Pasta Fruit Egg Cabbage",
    "Muffins": "Banana Apple Blueberry Pumpkin Carrot Lemon Oat Cheese Corn Honey",
    "Pie": "Apple Pumpkin Cherry Peach Lemon Potato Pear Berry Cheese Spinach",
    "Cookies": "Oat Lemon Banana Honey Butter Ginger Coconut Peanut Chocolate Apple",
    "Sandwich": "Cheese Tomato Egg Cucumber Banana Peanut Avocado Apple",
    "Bread": "Banana Corn Pumpkin Garlic Cheese Honey Oat Olive",
    "Cake": "Apple Carrot Lemon Chocolate Banana Honey Cherry Coconut Orange Plum",
    "Rice": "Tomato Coconut Pea Lemon Corn Mushroom",
    "Pasta": "Tomato Cheese Spinach Mushroom Pea Lemon Garlic",
    "Smoothie": "Banana Strawberry Mango Peach Blueberry Apple Pear Cherry",
    "Omelet": "Cheese Tomato Mushroom Spinach Potato Onion",
    "Pudding": "Rice Banana Chocolate Apple Vanilla Lemon",
}
FOODS = (
    "apple banana blueberry pumpkin oat cheese carrot lemon tomato potato pea bean onion corn noodle"
    " mushroom rice lentil cucumber pasta fruit egg cabbage honey cherry peach pear berry spinach"
    " butter ginger coconut peanut chocolate avocado garlic olive orange plum strawberry mango vanilla"
    " bread milk water flour sugar salt pepper oil yogurt cream cinnamon nutmeg basil parsley celery"
    " lettuce lime nut walnut almond raisin yeast soda powder broth stock syrup jam juice mint paprika"
    " cumin oregano thyme dill mayonnaise vinegar mustard cocoa spaghetti tortilla cracker leek"
    " zucchini broccoli cauliflower radish turnip beet grape melon pineapple raspberry cranberry date"
    " fig seed ice"
)
AMOUNT = r"(\d|1[0-2]|\d/\d|\d \d/\d|a|an|some|half an?)"
PINCH = (
    "salt pepper cinnamon nutmeg ginger vanilla soda powder yeast paprika cumin oregano thyme garlic"
    " mustard vinegar mint dill"
)
BOWLS = "some|a bowl of|a cup of|2 cups of|3 cups of|plenty of"
COUNTED = re.compile(
    "apple|banana|carrot|lemon|tomato|potato|pea|bean|onion|noodle|mushroom|lentil|cucumber|egg|pear|peach|orange|plum"
    "|olive|peanut|oat|.*berry|cherry"
)
HEATED = re.compile(  # cookies, baking soda and a baking dish are cold
    r"\b(cook(?!ie)|bak(e[ds]?|ing(?! (soda|powder|dish|pan|sheet|tray)))\b|boil|fry|fried|heat|oven|skillet|simmer"
    r"|toast|grill|microwave)",
    re.IGNORECASE,
)
MEALS = (
    "breakfast|lunch|dinner|a snack|a cold day|a warm day|a picnic|a party|Sunday morning|the whole family"
)


def recipe_plan(rng: np.random.Generator) -> tuple[str, list[str]]:
    pick = partial(pick_with, rng)
    dish = pick(" ".join(DISHES))
    main, meal = pick(DISHES[dish]), pick(MEALS)
    name = f"{main.lower()} {dish.lower()}"
    wish = f"Write a simple recipe for {name} for {meal}. Use simple words and short sentences."
    n_items, n_steps = rng.integers(4, 7), rng.integers(4, 7)
    plan = [
        f"{main} {dish}\n{name.capitalize()} {'are' if dish in ('Pancakes', 'Muffins', 'Cookies') else 'is'}",
        f"\nYou need:\n- {pick(BOWLS)} {plural(main.lower())}\n-",
        *["\n-"] * (n_items - 2),
        "\nWhat to do:\n1.",
        *[f"\n{i}." for i in range(2, n_steps + 1)],
        f"\nServe the {name}",
    ]
    return wish, plan


def recipe_fault(line: str, before: str, lines: list[str]) -> str | None:
    listed = set(foods(before))
    if before.endswith("-"):
        mentioned = foods(line)
        if not re.fullmatch(rf" {AMOUNT}( [A-Za-z]+){{1,6}}", line):
            return "characters"
        if not mentioned:
            return "no food that we know"
        in_list = set(foods(before.split("You need:")[-1]))
        if set(mentioned) & in_list or len(set(mentioned)) < len(mentioned):
            return "said before"
        if re.search(r"\bcups?\b|\bpounds?\b|\bcans?\b", line) and set(mentioned) & set(PINCH.split()):
            return "too much of it"
        return unfit(line) or (too_long_a_word(line))
    if not 3 <= len(words(line)) <= 20:
        return "length"
    if not re.fullmatch(r"[A-Za-z0-9 ,.'/-]*\.", line) or re.search(r"\d{4}|\.\S", line):
        return "characters"
    if re.search(r"\n\d\.$", before) and not re.match(
        r"\s*(?!You|This|These|It|Enjoy|Share)[A-Z][a-z]", line
    ):
        return "no step"
    if "You need:" in before and set(foods(line)) - listed:
        return "not on the list"
    return unfit(line) or too_long_a_word(line) or said_before(line, lines)


def recipe_text_fault(recipe: str) -> str | None:
    to_do = recipe.partition("What to do:")[2]
    if "egg" in foods(recipe) and not HEATED.search(to_do):
        return "raw eggs"
    if any(int(degrees) > 450 for degrees in re.findall(r"\d{3}", to_do)):
        return "too hot"
    return None


def plural(food: str) -> str:
    if not COUNTED.fullmatch(food):
        return food
    if food.endswith("rry"):
        return f"{food[:-1]}ies"
    return f"{food}es" if food.endswith(("o", "h")) else f"{food}s"


def foods(text: str) -> list[str]:
    """Return the foods that a text names, in the singular."""
    in_y = [re.sub("ries$", "rys", word) for word in words(text)]
    singular = [re.sub("(?<=o|h)es$|(?<=[a-z]{2})s$", "", word) for word in in_y]
    return [word for word in singular if word in FOODS.split()]


# --- the rules of both -----------------------------------------------------------------------------------------------

UNFIT_RULE = "not for a class, or about the text itself"
UNFIT = re.compile(
    r"\b("
    r"kill\w*|dead|death|die[sd]?|dying|blood\w*|gun\w*|knife|knives|weapon\w*|war|fight\w*|fought"
    r"|attack\w*|hit|beat|hunt\w*|hurt\w*|wound\w*|trap\w*|cage\w*|poison\w*|drug\w*|smok\w*|cigar\w*"
    r"|beer|wine|rum|vodka|brandy|whisk[e]?y|alcohol\w*|drunk|bar|sex\w*|kiss\w*|naked|breast\w*"
    r"|lover\w*|devil|demon|hell|god|jesus|pray\w*|church|hate[sd]?|stupid|ugly|fat|evil|steal\w*"
    r"|stole\w*|thief|police|prison|slave\w*|master|money|president|america\w*|disney|google"
    r"|mcdonald\w*|ai|assistant|model|chatbot|story|stories|moral|lesson|title|author|reader|user"
    r"|example|http\w*|www|eat (him|her|them|you)|ate (him|her|them)|butcher\w*|slaughter\w*|scream\w*"
    r"|wolf|wolves|undercooked|raw|meat\w*|chicken|beef|pork|ham|bacon|sausage\w*|turkey|fish\w*"
    r"|shrimp|tuna|salmon|crab|lobster|pet|bone\w*|baby|babies|marr\w*|wife|husband|pregnant|virgin"
    r"|tail in|translat\w*|english|internet|computer|phone|tv"
    r")\b",
    re.IGNORECASE,
)
SMALL = "a an the and or of to in on it is was he she they you i at for with his her their so that"


def words(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())


def unfit(sentence: str) -> str | None:
    return UNFIT_RULE if UNFIT.search(sentence) else None


def too_long_a_word(sentence: str) -> str | None:
    return "a long word" if max(map(len, words(sentence)), default=0) > 10 else None


def said_before(sentence: str, others: list[str]) -> str | None:
    """Return whether more than half of the words are shared, without the small ones (Jaccard 1901)."""
    mine = set(words(sentence)) - set(SMALL.split())
    for other in others:
        theirs = set(words(other)) - set(SMALL.split())
        if len(mine & theirs) > 0.5 * len(mine | theirs):
            return "said before"
    return None


def sentence_ends(sentence: str, piece: str, opening: str = "") -> bool:
    """End at a full stop if the next piece begins a new sentence."""
    return bool(re.search(r"[.!?]\"?$", sentence.rstrip()) and re.match(r"\s*[A-Z\"]|\s*\n|\s+$", piece))


def line_ends(line: str, piece: str, opening: str) -> bool:
    """End a thing that is needed before what is said about it, and a step after one sentence."""
    if opening.endswith("-"):
        return bool(line.strip() and re.match(r"\n|,| \(|\.", piece))
    return bool(line.strip() and "\n" in piece) or sentence_ends(line, piece)


FORMS = {
    "bedtime stories": Form(story_plan, sentence_ends, story_fault, lambda story: None),
    "recipes": Form(recipe_plan, line_ends, recipe_fault, recipe_text_fault),
}
