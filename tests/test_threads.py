"""How many threads BLAS takes: what this process may use, split among the processes at work."""

import ast
import os
import stat
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from messages import holding

from llmviz import threads
from llmviz.machine import cores
from llmviz.threads import Sharing, chosen_threads, crowded


class Blas:
    """What threadpoolctl gives for one library, without the library."""

    def __init__(self, number: int):
        self.number, self.n_set = number, 0

    def get_num_threads(self):
        return self.number

    def set_num_threads(self, number):
        self.number, self.n_set = number, self.n_set + 1


@pytest.fixture(autouse=True)
def nothing_chosen(monkeypatch):
    monkeypatch.delenv("LLMVIZ_THREADS", raising=False)
    monkeypatch.delenv("CPU_LIMIT", raising=False)


@pytest.fixture
def sharing(tmp_path, monkeypatch):
    """`sharing(n_cores, *numbers)`: for that many cores and a BLAS for each of the numbers; looks at every call."""
    monkeypatch.setattr(threads, "LOOK_EVERY", 0)
    monkeypatch.setattr(threads, "crowded", lambda: False)  # whatever else this machine does

    def make(n_cores: int, *numbers: int) -> Sharing:
        share = Sharing(tmp_path / "at-work")
        share._cores, share._libraries = n_cores, [Blas(number) for number in numbers]
        return share

    return make


def numbers(share: Sharing) -> list[int]:
    return [blas.number for blas in share._libraries]


def others_at_work(path, n: int, ago: float = 0.0) -> None:
    """As n other processes would write it."""
    places = np.zeros(threads.PLACES, threads.PLACE)
    for process in range(os.getpid() + 1, os.getpid() + 1 + n):
        places[process % threads.PLACES] = (process, time.time() - ago)
    path.write_bytes(places.tobytes())


# ---- sharing -----------------------------------------------------------------------------------------------


def test_alone_blas_stays_as_it_is(sharing):
    share = sharing(4, 4)
    share()
    assert numbers(share) == [4]
    assert share._libraries[0].n_set == 0


@pytest.mark.parametrize(("n_others", "each"), [(1, 4), (2, 2), (3, 2), (7, 1), (30, 1)])
def test_the_cores_are_split_among_the_processes_at_work(sharing, n_others, each):
    share = sharing(8, 8)
    others_at_work(share.path, n_others)
    share()
    assert numbers(share) == [each]
    others_at_work(share.path, 0)
    share()
    assert numbers(share) == [8]


def test_on_a_machine_that_other_programs_fill_one_thread_is_free(sharing, monkeypatch):
    share = sharing(8, 8)
    monkeypatch.setattr(threads, "crowded", lambda: True)
    share()
    assert numbers(share) == [1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0.2 0.1 0.1 4/450 99\n", False), ("0.2 0.1 0.1 5/450 99\n", True), ("9 9 9\n", False), ("", False)],
)
def test_crowded_is_more_threads_than_cores(tmp_path, monkeypatch, text, expected):
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    (tmp_path / "loads").write_text(text)
    assert crowded(tmp_path / "loads") is expected
    assert not crowded(tmp_path / "missing")


def test_who_said_nothing_for_a_second_no_longer_counts(sharing):
    share = sharing(2, 2)
    others_at_work(share.path, 5, ago=threads.FRESH + 0.1)
    share()
    assert numbers(share) == [2]


def test_never_more_than_the_process_may_use_nor_than_the_reader_allows_each_blas(sharing):
    share = sharing(2, 64, 1)  # one BLAS has counted the machine's cores, one was told to take one
    share()
    assert numbers(share) == [2, 1]
    share()
    assert numbers(share) == [2, 1]


def test_what_somebody_else_sets_is_the_new_bound(sharing):
    share = sharing(8, 8)
    others_at_work(share.path, 1)
    share()
    assert numbers(share) == [4]
    share._libraries[0].number = 3  # as threadpoolctl.threadpool_limits(3) does
    share()
    others_at_work(share.path, 0)
    share()
    assert numbers(share) == [3]
    share._libraries[0].number = 8  # and its end
    share()
    assert numbers(share) == [8]


def test_it_looks_only_now_and_then(sharing, monkeypatch):
    share, looks = sharing(4, 4), []
    monkeypatch.setattr(threads, "LOOK_EVERY", 3600)
    monkeypatch.setattr(share, "others", lambda: looks.append(1) or 0)
    for _ in range(5):
        share()
    assert len(looks) == 1


def test_a_second_thread_does_not_wait(sharing):
    share = sharing(4, 4)
    inside, end = threading.Event(), threading.Event()

    def slow_others():
        inside.set()
        assert end.wait(60)
        return 1

    share.others = slow_others
    thread = threading.Thread(target=share)
    thread.start()
    assert inside.wait(60)
    share()
    assert numbers(share) == [4]
    end.set()
    thread.join()
    assert numbers(share) == [2]


# ---- processes ---------------------------------------------------------------------------------------------

PROCESS = """
import sys
from pathlib import Path
from llmviz import threads
threads.FRESH = 60
share = threads.Sharing(Path(sys.argv[1]))
for line in sys.stdin:
    print(share.others(), flush=True)
"""


def test_two_processes_see_each_other_and_a_killed_one_is_soon_forgotten(sharing, monkeypatch):
    monkeypatch.setattr(threads, "FRESH", 60)  # on a busy machine a line may take longer than a second
    share = sharing(2, 2)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", PROCESS, str(share.path)], **pipes) as process:

        def ask() -> str:
            process.stdin.write("\n")
            process.stdin.flush()
            return process.stdout.readline()

        assert ask() == "0\n"
        assert share.others() == 1
        assert ask() == "1\n"
        process.kill()
    monkeypatch.setattr(threads, "FRESH", 0.1)
    time.sleep(0.2)
    assert share.others() == 0


def test_the_file_belongs_to_all_users(sharing):
    share = sharing(2, 2)
    old = os.umask(0o077)
    try:
        assert share.others() == 0
    finally:
        os.umask(old)
    if os.name == "posix":
        assert stat.S_IMODE(share.path.stat().st_mode) == 0o666


def test_without_a_folder_to_write_in_a_process_works_as_if_alone(sharing, tmp_path):
    share = sharing(2, 64)
    share.path = tmp_path / "no such folder" / "at-work"
    share()
    assert numbers(share) == [2]


@pytest.mark.skipif(not hasattr(os, "O_NOFOLLOW"), reason="no links here that could lead elsewhere")
def test_nothing_is_written_where_a_link_or_a_pipe_lies(sharing, tmp_path):
    share, elsewhere = sharing(2, 2), tmp_path / "elsewhere"
    elsewhere.write_text("mine")
    share.path.symlink_to(elsewhere)
    assert share.others() == 0
    assert elsewhere.read_text() == "mine"
    share.path.unlink()
    os.mkfifo(share.path)
    assert share.others() == 0


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 40_000])
def test_a_damaged_file_does_no_harm(sharing, content):
    share = sharing(2, 2)
    share.path.write_bytes(content)
    share()
    assert 1 <= numbers(share)[0] <= 2


def test_a_blas_that_cannot_be_told_is_left_alone(sharing):
    share = sharing(2)
    share()
    assert not share.path.exists()


# ---- the real BLAS -----------------------------------------------------------------------------------------


MODEL = """
import sys
from pathlib import Path
import llmviz
from llmviz import attention, embeddings, ffn, threads

threads.share_cores.path = Path(sys.argv[2])
threads.LOOK_EVERY, threads.FRESH = 0, 3600
threads.share_cores._cores = 2
threads.crowded = lambda: False
seen = []

def watch(module, name):
    function = getattr(module, name)

    def watched(*arguments, **options):
        seen.append((name, *(blas.get_num_threads() for blas in threads.share_cores._libraries)))
        return function(*arguments, **options)

    setattr(module, name, watched)

for module, name in ((attention, "project"), (attention, "weigh"), (ffn, "swiglu"), (embeddings, "unembed")):
    watch(module, name)
trace = llmviz.load(sys.argv[1]).trace([1, 2, 3])
print(sorted(set(seen)))
"""


@pytest.mark.parametrize(("n_others", "expected"), [(0, 2), (1, 1)])
def test_blas_itself_obeys_wherever_the_model_multiplies(sharing, tiny_path, n_others, expected):
    path = sharing(2).path
    if not Sharing(path)._libraries or cores() < 2:
        pytest.skip("NumPy's BLAS cannot be told its threads here, or there is one core only")
    others_at_work(path, n_others)
    environment = {name: text for name, text in os.environ.items() if not name.endswith("_NUM_THREADS")}
    command = [sys.executable, "-c", MODEL, str(tiny_path("grouped")), str(path)]
    home = {"LLMVIZ_HOME": str(path.parent), "OPENBLAS_NUM_THREADS": "2", "MKL_NUM_THREADS": "2"}
    run = subprocess.run(command, capture_output=True, text=True, check=True, env=environment | home)
    counted = ast.literal_eval(run.stdout)
    assert {name for name, *_ in counted} == {"project", "weigh", "swiglu", "unembed"}
    assert {number for _, *counts in counted for number in counts} == {expected}


# ---- what the reader chose ---------------------------------------------------------------------------------


def test_llmviz_threads_overrides_all(sharing, monkeypatch):
    monkeypatch.setenv("LLMVIZ_THREADS", "3")
    share = sharing(4, 1, 8)
    others_at_work(share.path, 5)
    share()
    assert numbers(share) == [3, 3]
    monkeypatch.delenv("LLMVIZ_THREADS")
    others_at_work(share.path, 0)
    share()
    assert numbers(share) == [1, 4]


def test_more_threads_than_cores_are_told_and_not_used(sharing, monkeypatch):
    monkeypatch.setenv("LLMVIZ_THREADS", "9999")
    share = sharing(2, 8)
    with pytest.warns(UserWarning, match=holding("LLMVIZ_THREADS", "9999", 2)):
        share()
    assert numbers(share) == [2]


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", "²", " "])
def test_another_value_of_llmviz_threads_is_told_and_not_used(sharing, monkeypatch, text):
    monkeypatch.setenv("LLMVIZ_THREADS", text)
    share = sharing(4, 4)
    with pytest.warns(UserWarning, match=holding("LLMVIZ_THREADS", repr(text), 1)):
        share()
    assert numbers(share) == [4]


def test_no_value_is_no_choice(monkeypatch):
    monkeypatch.setenv("LLMVIZ_THREADS", "")
    assert chosen_threads(2) is None


def test_held_at_one_thread_whoever_asks_and_then_as_before(sharing):
    share = sharing(8, 8, 4)
    share()
    before = numbers(share)
    with share.one_thread():
        assert numbers(share) == [1, 1]
        share()
        with share.one_thread():  # two trainings at once
            share()
        share()
        assert numbers(share) == [1, 1]
    assert numbers(share) == before
    share()
    assert numbers(share) == before  # nobody takes the one thread for a bound that a reader set


def test_who_holds_one_thread_is_seen_at_work(sharing):
    share = sharing(8, 8)
    with share.one_thread():
        share()
        places = np.fromfile(share.path, threads.PLACE)
    assert places["process"][os.getpid() % threads.PLACES] == os.getpid()


def test_one_thread_ends_with_an_error_too(sharing):
    share = sharing(8, 8)
    with pytest.raises(KeyboardInterrupt), share.one_thread():
        raise KeyboardInterrupt
    assert numbers(share) == [8]
