"""``trialsim samplesize`` and ``trialsim power``, each for means, proportions and survival."""

from __future__ import annotations

import typer

from trialsim.cli import means_commands, proportions_commands, survival_commands


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    size = _group("Find the sample size that reaches a power, by formula or enumeration.")
    power = _group("Find the power of a sample size, by formula or enumeration.")
    for module in (means_commands, proportions_commands, survival_commands):
        module.register(size, power)
    app.add_typer(size, name="samplesize")
    app.add_typer(power, name="power")


def _group(sentence: str) -> typer.Typer:
    return typer.Typer(help=sentence, no_args_is_help=True, add_completion=False, rich_markup_mode=None)
