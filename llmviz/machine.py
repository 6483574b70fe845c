"""What this process may use of the machine: its cores and its memory. No mathematics here."""

import contextlib
import math
import os
from pathlib import Path


def cores() -> int:
    """Return how many cores this process may use, 1 at least.

    The smallest of its affinity, its cgroup's quota and JupyterHub's CPU_LIMIT. BLAS itself counts the machine's cores,
    so in a container it takes too many.
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
        # Inside a container `name` may be the host's: then only `top` is there.
        for folder in (group, *group.parents):
            if controllers:
                numbers = [file_text(folder / "cpu.cfs_quota_us"), file_text(folder / "cpu.cfs_period_us")]
            else:
                numbers = file_text(folder / "cpu.max").split()
            if len(numbers) == 2:
                quota = min(quota, _limit(numbers[0]) / min(_limit(numbers[1]), 1e9))
            if folder == top:
                break
    return quota


def memory(limit: Path = Path("/sys/fs/cgroup/memory.max")) -> int | None:
    """Return the bytes of memory that programs on this machine can have; None where Python does not know."""
    try:
        n_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows
        return None
    with contextlib.suppress(ValueError):  # a container may have less
        n_bytes = min(n_bytes, int(file_text(limit)))
    return n_bytes if n_bytes > 0 else None


def free_memory() -> int:
    """Return the bytes of memory that programs on this machine can still take without swapping."""
    import psutil

    return psutil.virtual_memory().available


def own_memory(process: int) -> int:
    """Return the bytes of memory that a process shares with no other; where the system does not say, all its bytes."""
    import psutil

    taken = psutil.Process(process).memory_info()
    return taken.rss - getattr(taken, "shared", 0)


def _limit(text: str) -> float:
    """Return the number that a text says; inf for all others ("max", -1, nothing), which set no limit."""
    try:
        number = float(text)
    except ValueError:
        return math.inf
    return number if number > 0 else math.inf


def file_text(path: Path) -> str:
    """Return the text of a file; "" where it cannot be read."""
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeError):
        return ""
