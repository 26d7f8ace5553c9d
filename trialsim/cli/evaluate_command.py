"""``trialsim evaluate``: a policy against others in the same simulated trials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trialsim.errors import UsageError

if TYPE_CHECKING:
    from trialsim.cli.all_faults import Faults
    from trialsim.scenario.schema import Scenario

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout and nothing else.")]

AS_DESIGNED = "as_designed"
_CHECKPOINT = ".safetensors"
_YAML = (".yaml", ".yml")
_RECRUITMENT = "recruitment"
_ALL = "all_open"
_USUAL = "first_come_first_served,random"


def evaluate_command(
    policy: Annotated[
        str,
        typer.Argument(
            help="A checkpoint, a YAML file {name: parameters}, or a policy's name.", metavar="POLICY"
        ),
    ],
    scenario: Annotated[
        Path, typer.Option(help="Scenario file (YAML); with sites for recruitment and sites.")
    ],
    against: Annotated[
        str | None,
        typer.Option(
            help="Policies to compare with, as POLICY or as_designed, separated by commas; the first is the reference. "
            f"Default {_USUAL} for recruitment, else as_designed."
        ),
    ] = None,
    decides: Annotated[
        str | None,
        typer.Option(
            help="What POLICY decides: recruitment, sites, randomisation, monitoring or stopping. "
            "A checkpoint says so itself, as does a name, alone or in a YAML file, that only one of them has; "
            "otherwise recruitment, where the name is one of a ranking."
        ),
    ] = None,
    design: Annotated[str | None, typer.Option(help="Design; default the first.")] = None,
    truth: Annotated[str | None, typer.Option(help="Truth; default the first.")] = None,
    replicates: Annotated[int, typer.Option(help="Trials of each policy.")] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of every draw.")] = 1,
    workers: Annotated[int, typer.Option(help="Workers; they change no number.")] = 2,
    json: Json = False,
) -> None:
    """Run a policy and others in the same trials, and print what each brings."""
    from trialsim.cli.all_faults import Faults
    from trialsim.cli.running import check_numbers
    from trialsim.oc.run_writer import json_text
    from trialsim.scenario.lines import told_of
    from trialsim.scenario.load import load_scenario

    faults = Faults()
    faults.of(check_numbers, replicates, seed, workers, "fast")
    slot = faults.of(_slot, policy, decides)
    loaded = faults.of(load_scenario, scenario)
    designs = worlds = None
    if loaded is not None:
        designs = faults.of(loaded.select_designs, [design or next(iter(loaded.designs))])
        worlds = faults.of(loaded.select_truths, [truth or next(iter(loaded.truths))])
    words = against if against is not None else _USUAL if slot == _RECRUITMENT else AS_DESIGNED
    named = [*(each.strip() for each in words.split(",") if each.strip()), policy]
    asked = _Asked(slot, loaded, designs[0] if designs else None) if slot is not None else None
    found = [] if asked is None else [given for each in named if (given := faults.of(asked.policy, each))]
    folders = {folder.resolve() for _, _, folder in found if folder is not None}
    if asked is not None and (beside := asked.folder_of_other_slots()) is not None:
        folders.add(beside.resolve())
    if len(folders) > 1:
        faults.note("the checkpoints lie in different folders; put them into one")
    labelled = _labelled([(name, each) for name, each, _ in found])
    folder = next(iter(folders), None)
    derived = None
    if loaded is not None and asked is not None and len(folders) <= 1:
        derived = _checked(faults, asked, labelled, folder)
    faults.tell()
    assert loaded is not None and designs and worlds
    (chosen,), (under,) = designs, worlds
    about = {"scenario": loaded.name, "design": chosen, "truth": under, "replicates": replicates, "seed": seed,
             "decides": slot}  # fmt: skip
    title = f"{loaded.name}, {chosen}, {under}: {replicates} trial{'' if replicates == 1 else 's'} each"
    if derived is None:
        from trialsim.cli.learning_commands import print_rankings
        from trialsim.learning.evaluation import compare_rankings

        with told_of(scenario):
            ranked = compare_rankings(loaded, chosen, under, labelled, folder, replicates, seed, workers)
        if json:
            typer.echo(json_text(about | {"rankings": [each.to_dict() for each in ranked]}), nl=False)
        else:
            print_rankings(title, ranked)
        return
    from trialsim.learning.policies_compared import compare_policies

    with told_of(scenario):
        compared = compare_policies(derived, under, replicates, seed, workers)
    if json:
        typer.echo(json_text(about | {"policies": [each.to_dict() for each in compared]}), nl=False)
        return
    from trialsim.cli.learning_commands import print_table
    from trialsim.report.policies_compared import policy_sentences, policy_tables
    from trialsim.scenario.inner_policies import recommending

    for table in policy_tables(title, compared):
        print_table(table)
    uncertified = [
        label
        for label, each in labelled.items()
        if slot in _CERTIFIED and any(recommending(policy)[0] == "learned" for policy in each.items())
    ]
    for sentence in policy_sentences(compared, uncertified):
        typer.echo(sentence)


_CERTIFIED = ("randomisation", "stopping")


def _slot(policy: str, decides: str | None) -> str:
    """Return the slot that is asked about.

    Raises
    ------
    UsageError
        If there is no such slot, a checkpoint is of another, or a name is that of several and of no ranking.
    """
    from trialsim.cli.running import did_you_mean
    from trialsim.scenario.policies import SLOTS

    if decides is not None and decides not in SLOTS:
        raise UsageError(
            f"--decides: {decides!r} is unknown; allowed: {', '.join(SLOTS)}.{did_you_mean(decides, SLOTS)}"
        )
    if Path(policy).suffix != _CHECKPOINT:
        return decides or _slot_of_a_name(policy)
    slot, _, _ = _of_a_checkpoint(Path(policy))
    if decides not in (None, slot):
        raise UsageError(f"--decides: {policy} is a model for {slot}, not for {decides}; leave it out")
    return slot


def _slot_of_a_name(policy: str) -> str:
    """Return the slot of a policy's name: the only one that has it, otherwise recruitment."""
    from trialsim import registry
    from trialsim.scenario.policies import SLOTS

    written = _written(policy)
    name = next(iter(written)) if isinstance(written, dict) and len(written) == 1 else None
    known = registry.names("policies")
    slots = [slot for slot in SLOTS if f"{slot}.{name}" in known]
    if len(slots) > 1 and _RECRUITMENT not in slots:
        others = ", ".join(f"of {slot}" for slot in slots[:-1])
        raise UsageError(f"{name} is a policy {others} and of {slots[-1]}: say --decides")
    return slots[0] if len(slots) == 1 else _RECRUITMENT


def _written(text: str) -> Any:
    """Return a policy as it is written: ``{name: parameters}`` of a name alone, and otherwise what a YAML file holds."""
    if Path(text).suffix not in _YAML:
        return {text: {}}
    from trialsim.scenario.reading import parse_yaml, read_text

    read = parse_yaml(read_text(Path(text), "policy"), text)
    return {read: {}} if isinstance(read, str) else read


def _of_a_checkpoint(path: Path) -> tuple[str, str, str]:
    """Return the slot and the name of the policy that a checkpoint is for, and its digest."""
    from trialsim.models.checkpoint import read_checkpoint
    from trialsim.scenario.checkpoint_heads import policy_of_model

    _, about, digest = read_checkpoint(path, None)
    found = policy_of_model(str(about.get("kind")))
    if found is None:
        raise UsageError(f"{path} holds a model of kind {about.get('kind')}, which no policy takes")
    return *found, digest


@dataclass(frozen=True)
class _Asked:
    """The slot, scenario and design that policies are read for."""

    slot: str
    scenario: Scenario | None
    design: str | None

    def policy(self, text: str) -> tuple[str, dict[str, Any], Path | None] | None:
        """Return label, policy and the folder of its checkpoint that a word stands for; None of a design not known."""
        from trialsim.scenario.checkpoints import files_of

        path = Path(text)
        if text == AS_DESIGNED:
            if self.scenario is None or self.design is None:
                return None
            name, parameters = self._stated()
            has_file = next(files_of(parameters), None) is not None
            return AS_DESIGNED, {name: parameters}, self.scenario.folder if has_file else None
        if path.suffix == _CHECKPOINT:
            slot, name, digest = _of_a_checkpoint(path)
            if slot != self.slot:
                raise UsageError(f"{path} is a model for {slot}; {self.slot} is compared here")
            return (
                name,
                {name: self._opened() | {"checkpoint": path.name, "digest": digest}},
                path.resolve().parent,
            )
        from trialsim.scenario.policies import read_policy

        written = _written(text)
        if isinstance(written, dict):
            written = {name: self._with_opened(name, stated) for name, stated in written.items()}
        read = read_policy(self.slot, written, text)
        has_file = any(True for each in read.values() for _ in files_of(each))
        return next(iter(read)), read, path.resolve().parent if has_file else None

    def folder_of_other_slots(self) -> Path | None:
        """Return the scenario's folder where policies that stay as they are have checkpoints in it."""
        from trialsim.scenario.checkpoints import files_of

        if self.scenario is None or self.design is None:
            return None
        others = (
            parameters
            for slot, (_, parameters) in self.scenario.designs[self.design].policies.items()
            if slot != self.slot
        )
        return self.scenario.folder if any(True for each in others for _ in files_of(each)) else None

    def _stated(self) -> tuple[str, dict[str, Any]]:
        """Return the policy that the design states."""
        if self.scenario is None or self.design is None:
            return "", {}
        return self.scenario.designs[self.design].policies[self.slot]

    def _opened(self) -> dict[str, Any]:
        """Return how many sites the design's own policy opens, which a policy of sites that states nothing takes over."""
        from trialsim.scenario.inner_policies import recommending

        stated = recommending(self._stated())[1] if self.slot == "sites" else {}
        return {"open": stated["open"]} if "open" in stated else {}

    def _with_opened(self, name: str, stated: Any) -> Any:
        """Return the parameters of a policy as they are written, with how many sites it, or what is inside it, opens."""
        from trialsim.scenario.inner_policies import PEOPLE

        if not isinstance(stated, dict) or name == _ALL:
            return stated
        if name != PEOPLE or self.slot != "sites":
            return self._opened() | stated
        inner = stated.get("policy")
        named = {inner: {}} if isinstance(inner, str) else inner
        if not isinstance(named, dict):
            return stated
        return stated | {"policy": {each: self._with_opened(each, own) for each, own in named.items()}}


def _labelled(policies: list[tuple[str, dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """Return policies by a label each: the name, numbered where several are of one kind."""
    names = [name for name, _ in policies]
    return {
        name if names.count(name) == 1 else f"{name}_{names[: place + 1].count(name)}": policy
        for place, (name, policy) in enumerate(policies)
    }


def _checked(
    faults: Faults, asked: _Asked, labelled: Mapping[str, dict[str, Any]], folder: Path | None
) -> Scenario | None:
    """Refuse policies that do not fit; return the scenario with a design for each, None where rankings are compared."""
    assert asked.scenario is not None
    if asked.slot == _RECRUITMENT:
        from trialsim.learning.evaluation import refuse_rankings

        faults.of(refuse_rankings, asked.scenario, labelled)
        return None
    from trialsim.learning.policies_compared import with_policies

    if asked.design is None or not labelled:
        return None
    return faults.of(with_policies, asked.scenario, asked.design, asked.slot, labelled, folder)
