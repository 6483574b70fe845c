"""How many cores and how much memory this process may use, and its files."""

import contextlib
import math
import os
from collections.abc import Iterator
from pathlib import Path


def cores() -> int:
    """Return how many cores this process may use, at least 1.

    This is the smallest of its affinity, its cgroup's quota and JupyterHub's CPU_LIMIT. BLAS itself counts the cores of
    the machine, so it takes too many in a container.
    """
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, int(min(affinity, cgroup_quota(), _limit(os.environ.get("CPU_LIMIT", "")))))


def cgroup_quota(listed: Path = Path("/proc/self/cgroup"), mounted: Path = Path("/sys/fs/cgroup")) -> float:
    """Return the processor time, in cores, that this process's cgroups may use; inf without a quota."""
    quota = math.inf
    for line in file_text(listed).splitlines():
        # 0::/user.slice (version 2), 4:cpu,cpuacct:/docker/1f0a (version 1)
        _, controllers, name = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        top = mounted / controllers
        group = top / name.lstrip("/")
        # Inside a container, `name` may be that of the host, and then only `top` exists.
        for folder in (group, *group.parents):
            files = ("cpu.max", "cpu.cfs_quota_us", "cpu.cfs_period_us")  # version 2 has the first only
            numbers = " ".join(file_text(folder / file) for file in files).split()
            if len(numbers) == 2:
                quota = min(quota, _limit(numbers[0]) / min(_limit(numbers[1]), 1e9))
            if folder == top:
                break
    return quota


def memory(limit: Path = Path("/sys/fs/cgroup/memory.max")) -> int | None:
    """Return how many bytes of memory programs on this machine can use; None if Python does not know."""
    try:
        n_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows
        return None
    with contextlib.suppress(ValueError):  # a container may have less
        n_bytes = min(n_bytes, int(file_text(limit)))
    return n_bytes if n_bytes > 0 else None


def free_memory() -> int:
    """Return how many more bytes of memory programs on this machine can use without swapping."""
    import psutil

    return psutil.virtual_memory().available


def own_memory(process: int) -> int:
    """Return how many bytes of memory no other process shares; all of them if the system does not say."""
    import psutil

    taken = psutil.Process(process).memory_info()
    return taken.rss - getattr(taken, "shared", 0)


def _limit(text: str) -> float:
    """Return the number in a text; inf for any other text ("max", -1, nothing), which sets no limit."""
    try:
        number = float(text)
    except ValueError:
        return math.inf
    return number if number > 0 else math.inf


def file_text(path: Path) -> str:
    """Return the text of a file; "" if it cannot be read."""
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeError):
        return ""


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a path to write a file to, which takes its place at `path` when it is complete, and is deleted otherwise."""
    part = path.with_name(f"{path.name}.{os.getpid()}-{os.urandom(4).hex()}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
