"""Texts of different kinds and lengths on which conclusions are tried. None of them stands on a page as its example."""

import heapq
import inspect
import json.decoder
from pydoc_data.topics import topics

from llmviz.views.kit.picture import STATIC

TEXTS = {
    "a short start": "My favourite colour is",
    "a fact": "The largest planet of the solar system is",
    "a question": "Why do cats purr? Nobody knows exactly, but most people think that",
    "a story": "Once upon a time there lived an old fisherman who had never learned to swim. One morning, when the "
    "sea was as flat as a table, he rowed out further than ever before, and then",
    "a recipe": "Peel the potatoes and cut them into thin slices. Heat the butter in a large pan, add the onions "
    "and stir until they are golden. Then add the",
    "a letter": "Dear Ms Miller,\n\nthank you for your letter of 3 May. I am sorry to tell you that we cannot",
    "a dialogue": '"Where have you been?" she asked.\n"At the market," he said. "They had no',
    "a list": "Shopping list:\n- milk\n- bread\n- butter\n-",
    "code": "def mean(numbers):\n    total = 0\n    for number in numbers:\n        total +=",
    "numbers": "1, 2, 4, 8, 16, 32,",
    "French": "Le chat noir dort sur le canapé pendant que les enfants jouent dans le",
    "science": "Photosynthesis is the process by which green plants use sunlight to make sugar out of carbon dioxide "
    "and water. It takes place in the chloroplasts, which contain a green pigment called",
    "the same word": "dog dog dog dog dog dog dog dog dog dog",
    "a chat": "<|im_start|>user\nWhat is the moon made of?<|im_end|>\n<|im_start|>assistant\n",
    "a long story": "The lighthouse stood on a rock at the end of the bay, and every evening the keeper climbed "
    "its stairs to light the lamp. He had done so for thirty years, and his father before him. In winter the waves "
    "rose so high that the windows of the kitchen were white with salt, and in summer the tourists came with their "
    "cameras and asked him whether he was not lonely. He always said no. He had his books, his radio and a grey "
    "cat that had come one day with the mail boat and had refused to leave again. "
    "One night in November the radio fell silent in the middle of a song. The keeper turned the knob, knocked at "
    "the case, and put on his coat to look after the aerial. Outside the air was strangely still. There was no "
    "wind, no sound of the sea, and where the lights of the village should have been there was nothing at all. "
    "He stood at the rail for a long time. Then, far below, somebody knocked at the door of the",
}

# Ten texts of more than 512 tokens: fiction, a mixture, code, and chapters that every Python brings along.
CHAPTERS = ("operator-summary", "objects", "debugger", "specialnames", "naming", "formatstrings")
LONG = {
    "a long story": (STATIC / "a_long_story.txt").read_text("utf-8"),
    "many short texts": "\n\n".join(TEXTS.values()),
    "heapq.py": inspect.getsource(heapq),
    "json/decoder.py": inspect.getsource(json.decoder),
    **{chapter: topics[chapter] for chapter in CHAPTERS},
}
