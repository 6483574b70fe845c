"""Faults in the base class and in views, each as (file below llmviz, text, what stands there instead).

tests/test_mutants.py plants each in a copy, where the contract suite must fail: for the view before the colon, or for a
few views where the fault is in the base.
"""

VIEW, JOBS, PUT = "views/kit/view.py", "views/kit/jobs.py", "views/kit/put.py"
FIELDS, MEASURED = "views/kit/state_fields.py", "views/kit/measurements.py"
DETECTORS, SCENE = "views/ffn/detectors.py", "views/kit/scene.py"
LIFETIME, PICTURE, AS_CODE = "views/kit/lifetime.py", "views/kit/picture.py", "views/kit/as_code.py"
TURNS, STEPS, WRITING = (
    "views/kit/turns.py",
    "views/sampling/step_by_step.py",
    "views/sampling/side_by_side.py",
)
CHAIN, MAP = "views/sampling/sampler_cards.py", "views/kit/patch_map.py"
CARD = "views/differences/card_to_keep.py"
MATTER, WHY = "views/attention/does_it_matter.py", "views/attention/why_there.py"

MUTANTS = {
    # What may come in
    "any state is shown": (VIEW, "if not declared.accepts(value, self):", "if False:"),
    "the page is not put right": (
        VIEW,
        "self._show(self.after(self.state, event, *value))",
        "(after := self.after(self.state, event, *value)) == self.state or self._show(after)",
    ),
    "numbers have no ends": (FIELDS, "and first <= value <= last", ""),
    "a seed is any number": (FIELDS, " and 0 <= value < 2**31", ""),
    "any choice is taken": (FIELDS, "isinstance(value, str) and value in offered(view)", "True"),
    "an index is anything": (FIELDS, "lambda value, _: is_index(value)", "lambda value, _: True"),
    "the page may set what it likes": (
        PICTURE,
        "if len(before) < len(sent) or not all(",
        "if False and not all(",
    ),
    # What is drawn, and when
    "the state comes before its drawing": (
        VIEW,
        "        drawn = {name: self._draw(name, state)",
        "        self.state = state\n        drawn = {name: self._draw(name, state)",
    ),
    "controls stay where they were": (VIEW, "for name in self.controls:", "for name in ():"),
    "another text is not drawn": (VIEW, "scene.run is self.run\n", "True\n"),
    "another state is not drawn": (
        VIEW,
        "all(getattr(state, name) == value for name, value in scene.state.read.items())",
        "True",
    ),
    "another result is not drawn": (VIEW, "now is value or", "True or"),
    "what belongs to the old text stays": (VIEW, "if declared.outlives_text and declared", "if declared"),
    "a new text does not fit the state": (
        VIEW,
        "self._show(self.state if self.inputs() == inputs else self.fitted(self.state))",
        "self._show(self.state)",
    ),
    "an old picture stays after a stop": (
        VIEW,
        'if at_work else (scene, {"hidden": True})',
        "or (scene, {})",
    ),
    "what is hidden stays hidden": (
        PUT,
        'display = "none" if traits.get("hidden") else ""',
        'display = "none" if traits.get("hidden") else widget.layout.display or ""',
    ),
    "everything is sent each time": (
        PUT,
        "{name: value for name, value in traits.items() if not _same(value, getattr(widget, name))}",
        "dict(traits)",
    ),
    "each trait is a message": (PUT, "    with widget.hold_sync():", "    if True:"),
    # Jobs and their results
    "results of another text are shown": (
        JOBS,
        "return type(self), name, self.inputs(), ",
        "return type(self), name, ",
    ),
    "results of another setting are shown": (
        JOBS,
        "self.inputs(), tuple(getattr(state, read) for read in reads)",
        "self.inputs()",
    ),
    "a stop does not stop": (
        JOBS,
        'self._measurements.set(key, status="stopped")\n        elif',
        "pass\n        elif",
    ),
    "a stop is forgotten": (JOBS, 'goes_on or (status == "new" and needed)', "goes_on or needed"),
    "a job never comes to its end": (JOBS, 'self._measurements.set(key, status="done")', "pass"),
    "a job that is ended is thought to run": (JOBS, 'self._measurements.set(key, status="new")', "pass"),
    "a stop forgets what is known": (
        JOBS,
        'set(key, status="stopped")\n        elif',
        'set(key, status="stopped", result=None)\n        elif',
    ),
    "a late press begins a job": (
        JOBS,
        "elif not comes_too_late",
        "elif True",
    ),
    "nothing happens by itself": (
        JOBS,
        "            return self.by_itself(self.state)\n",
        "            return None\n",
    ),
    "other views do not follow": (MEASURED, "        for view in [*self.views]:", "        for view in ():"),
    "what is shown is forgotten": (MEASURED, "if key not in shown", "if key"),
    # Pages, code, text form, and the end
    "a page starts somewhere": (
        VIEW,
        "(self.state, *self.slices())",
        "[*self.slices()][::-1]",
    ),
    "a page lacks a job's settings": (
        SCENE,
        "_measured(name, self.state)",
        "_measured(name, self.state.state)",
    ),
    "the code forgets the state": (
        AS_CODE,
        "state = vars(view.state)",
        "state = vars(view.State())",
    ),
    "the text form shows what is hidden": (PICTURE, ' or child.layout.display == "none"', ""),
    "a closed view is told of results": (JOBS, "            self._measurements.views.discard(self)\n", ""),
    "parts outlive their view": (
        LIFETIME,
        "        for part in parts:\n            close(part)\n        _empty(self)",
        "",
    ),
    "a closed view follows on": (LIFETIME, "            source.unobserve(handler, names)\n", ""),
    # Views
    "step by step: any text may be written": (TURNS, '(), _fits, "as', '(), lambda *_: True, "as'),
    "step by step: the page's selection is ignored": (STEPS, 'selection("text")', 'selection("message")'),
    "step by step: the choice stays": (STEPS, '"choice": None, ', ""),
    "step by step: a part reads the state before": (
        STEPS,
        '"selected": scene.selected',
        '"selected": self.state.selected',
    ),
    "step by step: a part reads a control": (
        STEPS,
        "(None, scene.temperature)]",
        '(None, self.controls["temperature"].value)]',
    ),
    "step by step: any rival may be chosen": (
        STEPS,
        "if not (0 <= before < len(places) and 0 <= rival < len(places[before].rivals)):",
        "if choice is None:",
    ),
    "writing: the seed is left out": (
        WRITING,
        '@job("n", "seed", "left_temperature"',
        '@job("n", "left_temperature"',
    ),
    "writing: the bar stands nowhere": (
        WRITING,
        'self.controls["seed"], self.progress, ',
        'self.controls["seed"], ',
    ),
    "patch map: the question reads the state before": (
        MAP,
        "scene.run, COMPONENTS[scene.what]",
        "scene.run, COMPONENTS[self.state.what]",
    ),
    "patch map: the bar stands nowhere": (MAP, ', "progress"), "map"', '), "map"'),
    "does it matter: the bar stands nowhere": (MATTER, '("progress",), "table"', '"table"'),
    "why there: the page's selection is ignored": (
        WHY,
        'selection("strip")',
        'selection("bars")',
    ),
    "chain: a part reads the state before": (
        CHAIN,
        '"order": [*scene.order]',
        '"order": [*self.state.order]',
    ),
    "article neuron: it fires at more than full strength": (
        DETECTORS,
        "np.minimum(np.abs(fires / usual), 1)",
        "np.abs(fires / usual)",
    ),
    "card to keep: a part reads the state before": (
        CARD,
        '"caption": scene.title',
        '"caption": self.state.title',
    ),
    "card to keep: an answer that is gone is offered": (CARD, ' if taken in _answers(view.run) else ""', ""),
    "word neurons: none is shown before a click": (DETECTORS, "place[1] if place else 0", "place[1]"),
}
