"""How kernels are compiled: one decorator, and a cache that notices every edit.

Numba's own cache compares the time stamp of the file that holds a function, so an edit in a kernel that is *called*
from another file goes unnoticed and old machine code is replayed. Here the cache folder is named by a digest of all
kernel sources of the package, so any edit leads to an empty folder and old numbers cannot return.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba

Function = TypeVar("Function", bound=Callable[..., Any])

_KERNEL_MARK = b"from trialsim.compiled import"


def _cache_root() -> Path:
    """Return the folder that holds the kernel caches, one sub-folder a digest."""
    chosen = os.environ.get("TRIALSIM_CACHE_DIR") or os.environ.get("NUMBA_CACHE_DIR")
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "trialsim"


@functools.cache
def kernel_digest() -> str:
    """Return the digest of every source file of the package that defines compiled functions.

    Returns
    -------
    str
        Sixteen hexadecimal digits; also depends on the versions of Python and Numba.
    """
    package = Path(__file__).resolve().parent
    digest = hashlib.sha256(f"{sys.version}|{numba.__version__}".encode())
    for path in sorted(package.rglob("*.py")):
        source = path.read_bytes()
        if _KERNEL_MARK in source or path.name == "compiled.py":
            digest.update(str(path.relative_to(package)).encode())
            digest.update(source)
    return digest.hexdigest()[:16]


def cache_folder() -> Path:
    """Return the folder in which this version's compiled kernels are kept."""
    return _cache_root() / f"kernels-{kernel_digest()}"


def _compile(function: Function, **options: Any) -> Function:
    """Compile ``function`` with this package's cache folder, leaving Numba's own setting as it was."""
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(cache_folder())
    try:
        compiled: Function = numba.njit(
            cache=True, nogil=True, error_model="numpy", no_cfunc_wrapper=True, **options
        )(function)
    finally:
        numba.config.CACHE_DIR = before
    _go_on_without_cache(compiled)
    return compiled


def _go_on_without_cache(compiled: Any) -> None:
    """Let a cache that cannot be read or written, as on a full disk, cost time and nothing else."""
    cache = getattr(compiled, "_cache", None)
    if cache is None or not hasattr(cache, "save_overload"):
        return
    cache.load_overload = _or_nothing(cache.load_overload)
    cache.save_overload = _or_nothing(_one_at_a_time(cache.save_overload, Path(cache.cache_path)))


def _one_at_a_time(method: Callable[..., Any], folder: Path) -> Callable[..., Any]:
    """Return a method that saves while no other process does.

    Numba numbers the files of a function's signatures by what its index holds: of two processes that save at once, each
    a signature of its own, one could get the machine code of the other.
    """

    @functools.wraps(method)
    def attempt(*arguments: Any) -> Any:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "lock").open("a") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            return method(*arguments)

    return attempt


def _or_nothing(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method that gives None where the system refuses a file."""

    @functools.wraps(method)
    def attempt(*arguments: Any) -> Any:
        try:
            return method(*arguments)
        except OSError:
            return None

    return attempt


def kernel(function: Function) -> Function:
    """Compile a module-level function: cached, without the global lock, with NumPy's division rules."""
    return _compile(function)


def inline(function: Function) -> Function:
    """Compile a small function without branches into each of its callers, so that their loops vectorise."""
    return _compile(function, inline="always")
