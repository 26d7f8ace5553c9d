"""From a scenario back to a file that reads as the same scenario."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import yaml

from trialsim.scenario.checkpoints import checkpoints_of
from trialsim.scenario.schema import Scenario

_PLAIN_TEXT = re.compile(r"(?:[A-Za-z][A-Za-z0-9_ ]*[A-Za-z0-9]|[0-9][0-9.e+-]* (?:per )?[a-z]+)\Z")
_WORDS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})


class _Writer(yaml.SafeDumper):
    """Writes YAML whose texts are quoted wherever any reader might take them for something else."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write everything out in full."""
        return True


def _write_text(writer: _Writer, text: str) -> yaml.ScalarNode:
    """Return text, plain where it cannot be mistaken."""
    plain = bool(_PLAIN_TEXT.match(text)) and text.lower() not in _WORDS
    return writer.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


_Writer.add_representer(str, _write_text)


def canonical_yaml(scenario: Scenario) -> str:
    """Return the canonical form of a scenario as YAML, which reads back to an equal scenario."""
    return tree_yaml(scenario.dump())


def tree_yaml(tree: Any) -> str:
    """Return plain data as YAML that reads back to the same, here and elsewhere."""
    return yaml.dump(tree, Dumper=_Writer, sort_keys=False, allow_unicode=True, width=110)


def save_scenario(scenario: Scenario, folder: Path, name: str = "scenario.yaml") -> Path:
    """Write the canonical form of a scenario, with the patients that it resamples and its checkpoints, into a folder.

    Parameters
    ----------
    scenario
        The scenario.
    folder
        An existing folder.
    name
        The file's name.

    Returns
    -------
    Path
        The file, which loads to an equal scenario.
    """
    path = folder / name
    path.write_text(canonical_yaml(scenario), encoding="utf-8")
    resampled = scenario.population.resample
    beside = [*([] if resampled is None else [resampled]), *checkpoints_of(scenario)]
    for file in beside:
        if scenario.folder is None:
            break
        copy, original = folder / file, scenario.folder / file
        copy.parent.mkdir(parents=True, exist_ok=True)
        if copy.resolve() != original.resolve():
            shutil.copyfile(original, copy)
    return path
