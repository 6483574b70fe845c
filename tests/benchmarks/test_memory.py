"""Memory of one process that has loaded the model and traced 64 tokens, and of each of four at once.

PSS counts a page that n processes share as 1/n, so the memory-mapped weights weigh less the more kernels run;
what is private to the model is the anonymous memory beyond that of a process which only imported llmviz.
"""

import json
import subprocess
import sys

import pytest

PROBE = """
import json, sys
import llmviz, numpy

def megabytes():
    lines = open("/proc/self/smaps_rollup").read().splitlines()[1:]
    kilobytes = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    return {name: kilobytes[name] / 1024 for name in ("Pss", "Pss_Anon", "Private_Clean", "Private_Dirty")}

imported = megabytes()
model = llmviz.load()
trace = model.trace(list(range(1000, 1064)))
print("ready", flush=True)
sys.stdin.readline()
print(json.dumps({"imported": imported, "loaded": megabytes()}), flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize("n", [1, 4])
def test_memory_of_kernels_at_once(model, note_memory, n):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    kernels = [subprocess.Popen([sys.executable, "-c", PROBE], **pipes) for _ in range(n)]
    try:
        for kernel in kernels:
            assert kernel.stdout.readline() == "ready\n"
        readings = []
        for kernel in kernels:
            kernel.stdin.write("\n")
            kernel.stdin.flush()
            readings.append(json.loads(kernel.stdout.readline()))
    finally:
        for kernel in kernels:
            kernel.communicate("\n", timeout=30)
    largest = max(readings, key=lambda reading: reading["loaded"]["Pss"])
    imported, loaded = largest["imported"], largest["loaded"]
    who = "a kernel alone" if n == 1 else f"each of {n} kernels"
    for what, value in {
        "PSS": loaded["Pss"],
        "private to the model and a 64-token trace": loaded["Pss_Anon"] - imported["Pss_Anon"],
        "private in all, Python and imports included": loaded["Pss_Anon"],
    }.items():
        note_memory(f"{who}: {what}", value)
    assert loaded["Pss_Anon"] > imported["Pss_Anon"]
