"""What this process may use of the machine: cores and memory."""

import os

import psutil
import pytest

from llmviz import machine


def files(folder, contents: dict[str, str]) -> None:
    for name, text in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


@pytest.mark.parametrize(
    ("contents", "quota"),
    [
        ({"list": "0::/a/b\n", "fs/a/b/cpu.max": "150000 100000\n", "fs/a/cpu.max": "max 100000\n"}, 1.5),
        ({"list": "0::/a/b\n", "fs/a/b/cpu.max": "max 100000\n", "fs/a/cpu.max": "300000 100000\n"}, 3),
        ({"list": "0::/\n", "fs/cpu.max": "50000 100000\n"}, 0.5),
        ({"list": "0::/of/the/host\n", "fs/cpu.max": "200000 100000\n"}, 2),
        ({"list": "0::/a\n", "fs/a/cpu.max": "max 100000\n", "cpu.max": "100000 100000\n"}, float("inf")),
        (
            {
                "list": "9:memory:/m\n4:cpu,cpuacct:/docker/1f\n0::/\n",
                "fs/cpu,cpuacct/docker/1f/cpu.cfs_quota_us": "400000\n",
                "fs/cpu,cpuacct/docker/1f/cpu.cfs_period_us": "100000\n",
                "fs/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
                "fs/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            },
            4,
        ),
        ({"list": "3:cpuset:/a\n", "fs/cpuset/a/cpu.max": "100000 100000\n"}, float("inf")),
        ({"list": "0::/a\n", "fs/a/cpu.max": "nonsense\n"}, float("inf")),
        ({}, float("inf")),
    ],
)
def test_a_cgroups_quota(tmp_path, contents, quota):
    files(tmp_path, contents)
    assert machine.cgroup_quota(tmp_path / "list", tmp_path / "fs") == quota


@pytest.mark.parametrize(
    ("quota", "limit", "expected"),
    [
        (float("inf"), "", 8),
        (2.5, "", 2),
        (0.5, "", 1),
        (4, "3.0", 3),
        (4, "nonsense", 4),
        (4, "0", 4),
        (4, "nan", 4),
    ],
)
def test_the_smallest_limit_counts(monkeypatch, quota, limit, expected):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(machine, "cgroup_quota", lambda: quota)
    monkeypatch.setenv("CPU_LIMIT", limit)
    assert machine.cores() == expected


def test_memory_is_the_machines_or_the_containers(tmp_path, monkeypatch):
    total = psutil.virtual_memory().total
    assert machine.memory(tmp_path / "missing") == pytest.approx(total, rel=0.01)
    (tmp_path / "memory.max").write_text("max\n")
    assert machine.memory(tmp_path / "memory.max") == machine.memory(tmp_path / "missing")
    (tmp_path / "memory.max").write_text("1000000\n")
    assert machine.memory(tmp_path / "memory.max") == 1_000_000
    monkeypatch.delattr(os, "sysconf")  # Windows
    assert machine.memory() is None
    assert 0 < machine.free_memory() < total


def test_a_file_takes_its_place_only_when_it_is_complete(tmp_path):
    path = tmp_path / "page.html"
    path.write_text("old")

    def breaks_off() -> None:
        with machine.replacing(path) as part:
            part.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        breaks_off()
    assert path.read_text() == "old"
    with machine.replacing(path) as part:
        part.write_text("new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]
