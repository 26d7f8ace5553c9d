"""``trialsim``: the entry point, which turns every foreseeable failure into a sentence and an exit code."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Annotated, Any, TextIO

import typer

from trialsim.cli.all_faults import scenario_sentences
from trialsim.cli.ending import Ended, requests_to_end
from trialsim.cli.plain_output import write_what_can_be_written
from trialsim.errors import ScenarioError, UsageError, error_number, system_reason

EXIT_OK = 0
EXIT_INPUT = 2
EXIT_INTERRUPTED = 128 + 2  # as a shell reports SIGINT
EXIT_PIPE_CLOSED = 128 + 13  # as a shell reports SIGPIPE

_COMMAND_MODULES = (
    "scenario_commands",
    "run_commands",
    "audit_commands",
    "explain_commands",
    "calibrate_commands",
    "certify_commands",
    "sweep_commands",
    "boundaries_commands",
    "safety_commands",
    "assurance_commands",
    "analyse_commands",
    "adjust_commands",
    "combination_commands",
    "sample_size_commands",
    "learning_commands",
)

_ADVICE = {
    errno.ENOSPC: "free some space, or name another place",
    errno.EDQUOT: "free some space, or name another place",
    errno.EACCES: "check who may read and write there, or name another place",
    errno.EPERM: "check who may read and write there, or name another place",
    errno.EROFS: "name a folder on a disk that can be written to",
    errno.ENOENT: "check the spelling and the folder you are in",
    errno.EISDIR: "name a file, not a folder",
    errno.ENOTDIR: "name a folder, not a file",
    errno.EEXIST: "name another place",
}


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"trialsim {version('trialsim')}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Simulate clinical trials from a scenario, and report how each design does."""


@cache
def build_app() -> typer.Typer:
    """Return the application with all its commands.

    Returns
    -------
    typer.Typer
        Help is plain text: brackets, as in ``ladder[treatment=0.8]``, are never taken for markup.
    """
    app = typer.Typer(
        name="trialsim",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    for name in _COMMAND_MODULES:
        if find_spec(f"trialsim.cli.{name}") is not None:
            register: Callable[[typer.Typer], None] = import_module(f"trialsim.cli.{name}").register
            register(app)
    return app


@cache
def _command_of(app: typer.Typer) -> Any:
    """Return what an application runs; to read the options of all commands takes a tenth of a second, once."""
    return typer.main.get_command(app)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments
        What follows the program's name; by default taken from the process.

    Returns
    -------
    int
        The exit code: 0 done, 2 the input or the machine did not allow it, 130 interrupted, 141 the reader
        of the output went away, 128 and its number for another signal; or the code a command chose.
    """
    for stream in (sys.stdout, sys.stderr):
        write_what_can_be_written(stream)
    try:
        with requests_to_end():
            return _run(arguments)
    except Ended as end:
        return _tell(end.sentence, int(end.code or 0))


def _run(arguments: Sequence[str] | None) -> int:
    """Run a command and tell its failure."""
    try:
        code = _command_of(build_app())(args=arguments, prog_name="trialsim", standalone_mode=False)
        _flush(sys.stdout)  # here, where a full disk or a closed pipe can still be told
    except ScenarioError as error:
        return _tell(scenario_sentences(error))
    except UsageError as error:
        return _tell(str(error))
    except typer.TyperException as error:
        return _tell(_command_line_sentences(error))
    except typer.Abort:
        return _tell("Stopped: the answer to a question was missing.")
    except KeyboardInterrupt:
        return _interrupted()
    except BrokenPipeError:
        return _pipe_closed()
    except SystemExit as end:
        # This is what Typer makes of a pipe that closes during a command.
        if isinstance(end.__context__, BrokenPipeError):
            return _pipe_closed()
        raise
    except OSError as error:
        return _tell(_system_sentence(error))
    except MemoryError:
        return _tell("There is not enough memory: ask for fewer --workers or fewer --replicates.")
    if code == EXIT_INTERRUPTED:
        return _interrupted()
    return code if isinstance(code, int) else EXIT_OK


def _tell(message: str, code: int = EXIT_INPUT) -> int:
    """Print ``message`` on stderr, where that is possible, and return ``code``."""
    try:
        print(message, file=sys.stderr, flush=True)
        _flush(sys.stdout)
    except OSError:
        _silence_stdout()
    return code


def _flush(stream: TextIO | None) -> None:
    """Write out what is buffered; a stream that was closed before the start is None."""
    if stream is not None:
        stream.flush()


def _interrupted() -> int:
    return _tell("Interrupted.", EXIT_INTERRUPTED)


def _pipe_closed() -> int:
    """Say nothing: whoever read the output has seen enough, as in ``trialsim list measures | head``."""
    _silence_stdout()
    return EXIT_PIPE_CLOSED


def _silence_stdout() -> None:
    """Send what is still buffered for stdout nowhere, so that the interpreter's last flush cannot fail."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)


def _system_sentence(error: OSError) -> str:
    where = f"{os.fsdecode(error.filename)}: " if error.filename is not None else ""
    advice = _ADVICE.get(error_number(error) or 0)
    return f"{where}{system_reason(error)}{f' ({advice})' if advice else ''}."


def _not_a_number(error: typer.TyperException) -> str | None:
    """Return the sentence for an option whose text is no number, or None for what else is wrong."""
    parameter, cause = getattr(error, "param", None), error.__cause__
    if parameter is None or not isinstance(cause, ValueError) or not hasattr(cause, "errors"):
        return None
    detail = cause.errors()[0]
    expected = {"int": "a whole number, written in digits", "float": "a number"}.get(
        str(detail["type"]).partition("_")[0]
    )
    if expected is None:
        return None
    example = f", such as {parameter.default}" if isinstance(parameter.default, int | float) else ""
    return f"{parameter.opts[0]}: {detail['input']!r} is not {expected}{example}."


def _command_line_sentences(error: typer.TyperException) -> str:
    """Return what was wrong with the command line, what may have been meant, and where help is."""
    context = getattr(error, "ctx", None)
    option = getattr(error, "option_name", None)
    candidates: Sequence[str] | None = getattr(error, "possibilities", None)
    if option is not None and candidates:
        message = f"No such option {option!r}. Did you mean {' or '.join(map(repr, sorted(candidates)))}?"
    else:
        message = _not_a_number(error) or error.format_message()
    is_help = type(error).__name__ == "NoArgsIsHelpError"
    if context is None or is_help:
        return message
    return f"{message}\nSee: {context.command_path} --help"
