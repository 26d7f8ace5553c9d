"""Models in files: arrays in the safetensors format, never pickled, named by the digest of their bytes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from trialsim.errors import UsageError
from trialsim.models.features import Encoding

Arrays = Mapping[str, NDArray[Any]]
_KEY = "trialsim"
_EXTRA = (
    "needs torch, scikit-learn and safetensors; install trialsim with its extra: pip install 'trialsim[ai]', in a checkout "
    ".venv/bin/pip install -c constraints.txt -e '.[ai]'"
)


def require_extra(what: str, error: ImportError) -> UsageError:
    """Return the sentence for one who lacks the libraries of learned policies."""
    return UsageError(f"{what} {_EXTRA} ({error.name} is missing)")


def write_checkpoint(path: Path, arrays: Arrays, about: Mapping[str, Any]) -> str:
    """Write a model to a file that is not there yet, and return the digest of its bytes.

    Parameters
    ----------
    path
        The file.
    arrays
        What was fitted.
    about
        Plain data on what it is and where it came from.

    Raises
    ------
    UsageError
        If the file is there already or cannot be written.
    """
    try:
        from safetensors.numpy import save
    except ImportError as error:
        raise require_extra("writing a checkpoint", error) from None
    # One key only: the format keeps several in no particular order.
    text = json.dumps(about, sort_keys=True, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    data: bytes = save({name: np.ascontiguousarray(x) for name, x in arrays.items()}, metadata={_KEY: text})
    try:
        with path.open("xb") as file:
            file.write(data)
    except FileExistsError:
        raise UsageError(f"{path} is there already and is not overwritten; name another file") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror}); name another file") from None
    return hashlib.sha256(data).hexdigest()


def read_checkpoint(path: Path, digest: str | None) -> tuple[dict[str, NDArray[Any]], dict[str, Any], str]:
    """Return the arrays of a file, what it says of them, and the digest of its bytes.

    Parameters
    ----------
    path
        The file.
    digest
        The digest that it must have, or None.

    Raises
    ------
    UsageError
        If the file cannot be read, is another than the one pinned, or is no checkpoint.
    """
    try:
        from safetensors import SafetensorError
        from safetensors.numpy import load
    except ImportError as error:
        raise require_extra("reading a checkpoint", error) from None
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"the checkpoint {path} cannot be read ({error.strerror})") from None
    found = hashlib.sha256(data).hexdigest()
    if digest is not None and found != digest:
        raise UsageError(
            f"the checkpoint {path} has the digest {found}, and {digest} is pinned: it is another model"
        )
    try:
        arrays = load(data)
        length = int.from_bytes(data[:8], "little")
        about = json.loads(json.loads(data[8 : 8 + length])["__metadata__"][_KEY])
    except (SafetensorError, KeyError, ValueError):
        raise UsageError(f"{path} is no checkpoint of trialsim; `trialsim train` writes one") from None
    return arrays, about, found


def read_kind(path: Path, digest: str | None, kind: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Return the arrays of a model of one kind, and what the file says of them.

    Parameters
    ----------
    path, digest
        As in :func:`read_checkpoint`.
    kind
        Kind of model that is expected.

    Raises
    ------
    UsageError
        As in :func:`read_checkpoint`, and if the model is of another kind.
    """
    arrays, about, _ = read_checkpoint(path, digest)
    if about.get("kind") != kind:
        raise UsageError(
            f"the checkpoint {path} holds a model of kind {about.get('kind')}; {kind} is expected"
        )
    return arrays, about


def read_model(path: Path, digest: str | None, kind: str) -> tuple[Encoding, dict[str, NDArray[Any]]]:
    """Return the encoding and the arrays of a model of one kind.

    Parameters
    ----------
    path, digest
        As in :func:`read_checkpoint`.
    kind
        Kind of model that is expected.

    Raises
    ------
    UsageError
        If the file is not the one pinned, or holds another kind of model.
    """
    arrays, about = read_kind(path, digest, kind)
    return Encoding.from_plain(about["encoding"]), arrays


class Checkpointed:
    """A model that is kept in a checkpoint under its ``name``."""

    name: str

    @classmethod
    def from_arrays(cls, encoding: Encoding, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Return the model that a file holds.

        Parameters
        ----------
        encoding
            How covariates become features.
        arrays
            What the model's ``arrays`` gave when it was written.
        """
        raise NotImplementedError

    @classmethod
    def load(cls, path: Path, digest: str | None) -> Self:
        """Return the model in a checkpoint; see :func:`read_model` for arguments and errors."""
        return cls.from_arrays(*read_model(path, digest, cls.name))
