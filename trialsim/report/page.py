"""The report of a run as one self-contained HTML page, a pure function of its saved records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from trialsim.engines.effects import Effect
from trialsim.oc.characteristics import OperatingCharacteristics
from trialsim.oc.columns import Records
from trialsim.oc.error_claims import ErrorClaim, error_claims
from trialsim.oc.measures import definition
from trialsim.report.adverse_event_figures import (
    ABOUT_ADVERSE_EVENTS,
    adverse_event_picture,
    adverse_events_left_out,
)
from trialsim.report.answer import answer
from trialsim.report.applied_bounds import ABOUT_APPLIED, ABOUT_PLANNED, applied_bounds_table
from trialsim.report.cautions import analysis_cautions
from trialsim.report.designs_table import ABOUT_DESIGNS, designs_table
from trialsim.report.effects_table import EXPLANATION, effects_tables
from trialsim.report.estimands_table import ABOUT_ESTIMANDS, ABOUT_WRITTEN, estimands_table
from trialsim.report.failures import failure_sentences
from trialsim.report.figures import (
    MOST_TRUTHS_DRAWN,
    MOST_TRUTHS_OF_DURATIONS,
    Picture,
    duration_picture,
    power_picture,
    stopping_picture,
)
from trialsim.report.legend import legend
from trialsim.report.lives_table import ABOUT_LIVES, lives_table
from trialsim.report.missing_table import ABOUT_MISSING, MOST_OF_MISSING, missing_table
from trialsim.report.more_tables import MOST_CELLS, bounds_table, cost_table, more_measures, stopping_table
from trialsim.report.overrun_table import ABOUT_OVERRUN, overrun_table
from trialsim.report.page_style import STYLE
from trialsim.report.recruitment_figures import (
    enrolment_picture,
    funnel_pictures,
    left_out_sentences,
    site_enrolment_picture,
)
from trialsim.report.recruitment_tables import (
    ABOUT_LOSSES,
    ABOUT_RECRUITMENT,
    ABOUT_TIMES,
    losses_table,
    recruitment_table,
    recruitment_times_table,
)
from trialsim.report.reestimation_table import ABOUT_SIZES, sizes_table
from trialsim.report.safety_tables import (
    ABOUT_PATIENTS,
    ABOUT_SAFETY,
    MOST_OF_PATIENTS,
    MOST_TABLES,
    adverse_event_tables,
    patients_by_arm,
)
from trialsim.report.site_figures import ABOUT_SITES, site_picture, site_table, sites_left_out
from trialsim.report.tables import TextTable, summary_tables

_PROVENANCE = {
    "digest": "scenario digest",
    "seed": "seed",
    "replicates": "replicates per cell",
    "engine": "engine",
    "workers": "workers",
    "command": "command",
    "started": "started",
    "finished": "finished",
    "python": "Python",
    "platform": "platform",
}


def page(
    scenario: Mapping[str, Any],
    provenance: Mapping[str, Any],
    characteristics: OperatingCharacteristics,
    records: Records,
    targets: Mapping[tuple[str, str], float],
    effects: Sequence[Effect] = (),
) -> str:
    """Return the page.

    Parameters
    ----------
    scenario, provenance
        The resolved scenario and where the run comes from, as plain data.
    characteristics, records
        What was found, and the trials it was found in.
    targets
        One-sided alpha by design and hypothesis.
    effects
        The effects of the truths, conditional and marginal.
    """
    name = str(scenario.get("name", "scenario"))
    about = [str(scenario[key]) for key in ("description", "source") if scenario.get(key)]
    certificates = [
        f"{word.capitalize()}: {sentence}."
        for word in ("uncertified", "certified")
        for sentence in provenance.get(word, ())
    ]
    sentences = [*certificates, *answer(characteristics, targets)]
    sentences += [*failure_sentences(records), *analysis_cautions(scenario)]
    tables = summary_tables(characteristics)
    body = [
        f"<h1>{escape(name)}</h1>",
        *(f'<p class="about">{escape(text)}</p>' for text in about),
        '<section class="answer" aria-label="The answer">',
        *(f"<p>{escape(sentence)}</p>" for sentence in sentences),
        "</section>",
        "<h2>Operating characteristics</h2>",
        *(_text_table(table) for table in tables),
        *(f"<p>{escape(line)}</p>" for line in legend(characteristics, tables)),
        *_error_section(error_claims(characteristics, targets)),
        *_designs(scenario, characteristics),
        *_estimands(characteristics),
        *_sizes(scenario, characteristics),
        *_overrun(characteristics),
        *_recruitment(characteristics, records),
        *_adverse_events(records),
        *_missing(characteristics),
        "<h2>Pictures</h2>",
        *_pictures(characteristics, records),
        *_more(characteristics, scenario, records),
        *_costs(characteristics),
        *_effects(effects),
        "<h2>Definitions</h2>",
        *_definitions(characteristics),
        *_assumptions(scenario.get("assumed")),
        "<h2>Provenance</h2>",
        _provenance(provenance),
    ]
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(name)}: operating characteristics</title>",
            f"<style>{STYLE}</style>",
            "</head>",
            "<body>",
            "<main>",
            *body,
            "</main>",
            "</body>",
            "</html>",
            "",
        ]
    )


def _text_table(table: TextTable) -> str:
    head = "".join(f'<th scope="col">{escape(heading)}</th>' for heading in table.headings)
    rows = [
        "<tr>"
        + "".join(_cell(lines, place, table.headings[place]) for place, lines in enumerate(row))
        + "</tr>"
        for row in table.rows
    ]
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(table.title)}">'
        f"<table><caption>{escape(table.title)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _cell(lines: Sequence[str], place: int, heading: str) -> str:
    kind = "range" if heading in ("enrolled", "months") else "second"
    shown = escape(lines[0]) + "".join(f'<span class="{kind}">{escape(line)}</span>' for line in lines[1:])
    return f'<th scope="row">{shown}</th>' if place == 0 else f"<td>{shown}</td>"


def _error_section(claims: Sequence[ErrorClaim]) -> list[str]:
    if not claims:
        return []
    rows = tuple(
        (
            (claim.design,),
            (claim.truth,),
            (claim.hypothesis,),
            (f"{claim.value:.4f}" if claim.tested else "–",),
            (f"{claim.lower:.4f} to {claim.upper:.4f}" if claim.tested else "–",),
            (claim.verdict,),
        )
        for claim in claims
    )
    headings = ("design", "truth", "hypothesis", "estimate", "limits", "verdict")
    table = TextTable("By hypothesis, where its null is true", headings, rows)
    return [
        "<h2>Type I error</h2>",
        "<p>Exact limits, simultaneous over the rows: the chance that any upper one is exceeded is at most "
        "2.5%, and so is the chance that any lower one is too high. Controlled: the upper limit is at or below "
        "the target. They are about each hypothesis, not about the family of them, where they do not say so.</p>",
        _text_table(table),
    ]


def _designs(scenario: Mapping[str, Any], characteristics: OperatingCharacteristics) -> list[str]:
    """Return the section on the designs as they were simulated."""
    table = designs_table(scenario, [cell.design for cell in characteristics.cells()])
    return [] if table is None else ["<h2>Designs</h2>", *_explained(ABOUT_DESIGNS, table)]


def _estimands(characteristics: OperatingCharacteristics) -> list[str]:
    """Return the section on true values and estimates."""
    table = estimands_table(characteristics)
    if table is None:
        return []
    texts = [ABOUT_ESTIMANDS, *([ABOUT_WRITTEN] if "as written" in table.headings else [])]
    return [
        "<h2>What the trials estimate</h2>",
        *(f"<p>{escape(text)}</p>" for text in texts),
        _text_table(table),
    ]


def _more(
    characteristics: OperatingCharacteristics, scenario: Mapping[str, Any], records: Records
) -> list[str]:
    if not characteristics.rows:
        return []
    lines = [
        "<h2>Endings and more measures</h2>",
        "<p>Look times are data cuts, averaged over the trials that reach the look; what is rejected at a look "
        "counts at every later one.</p>",
        *_bounds(scenario, characteristics, records),
        _text_table(stopping_table(characteristics)),
        _text_table(more_measures(characteristics)),
    ]
    if (n_cells := len(characteristics.cells())) > MOST_CELLS:
        lines.append(f"<p>Shown for the first {MOST_CELLS} of {n_cells} designs under a truth.</p>")
    return lines


def _bounds(
    scenario: Mapping[str, Any], characteristics: OperatingCharacteristics, records: Records
) -> list[str]:
    planned = bounds_table(scenario, [cell.design for cell in characteristics.cells()])
    applied = applied_bounds_table(scenario, records)
    return [*_explained(ABOUT_PLANNED, planned), *_explained(ABOUT_APPLIED, applied)]


def _costs(characteristics: OperatingCharacteristics) -> list[str]:
    table = cost_table(characteristics)
    if table is None:
        return []
    explanation = (
        "From the start of accrual to the decision; what falls later is not counted. Each part is a mean (mcse); they "
        "add up to the whole."
    )
    return ["<h2>Costs</h2>", f"<p>{explanation}</p>", _text_table(table)]


def _effects(effects: Sequence[Effect]) -> list[str]:
    if not effects:
        return []
    tables = [_text_table(table) for table in effects_tables(effects)]
    return ["<h2>Effects</h2>", f"<p>{escape(EXPLANATION)}</p>", *tables]


def _sizes(scenario: Mapping[str, Any], characteristics: OperatingCharacteristics) -> list[str]:
    """Return the section on sizes that are re-estimated; nothing where none is."""
    table = sizes_table(scenario, characteristics)
    if table is None:
        return []
    texts = (f"<p>{escape(text)}</p>" for text in ABOUT_SIZES)
    return ["<h2>Sample size re-estimation</h2>", *texts, _text_table(table)]


def _overrun(characteristics: OperatingCharacteristics) -> list[str]:
    """Return the section on data that arrive after the stop; nothing where they are not analysed."""
    table = overrun_table(characteristics)
    return (
        []
        if table is None
        else ["<h2>After the stop</h2>", f"<p>{escape(ABOUT_OVERRUN)}</p>", _text_table(table)]
    )


def _recruitment(characteristics: OperatingCharacteristics, records: Records) -> list[str]:
    """Return the section on recruitment; nothing in a world without sites."""
    table = recruitment_table(characteristics)
    if table is None:
        return []
    pictures = [enrolment_picture(records), site_enrolment_picture(records), *funnel_pictures(records)]
    return [
        "<h2>Recruitment</h2>",
        *(f"<p>{escape(text)}</p>" for text in ABOUT_RECRUITMENT),
        _text_table(table),
        *_explained(ABOUT_TIMES, recruitment_times_table(characteristics)),
        *(_figure(picture) for picture in pictures if picture is not None),
        *_explained(ABOUT_LOSSES, losses_table(records)),
        *(f"<p>{escape(text)}</p>" for text in left_out_sentences(records)),
        *_sites(records),
    ]


def _explained(text: str, table: TextTable | None) -> list[str]:
    """Return a table under the text that explains it; nothing without a table."""
    return [] if table is None else [f"<p>{escape(text)}</p>", _text_table(table)]


def _sites(records: Records) -> list[str]:
    """Return what is shown of single sites."""
    table, picture = site_table(records), site_picture(records)
    if table is None:
        return []
    return [
        f"<p>{escape(ABOUT_SITES)}</p>",
        *([] if picture is None else [_figure(picture)]),
        _text_table(table),
        *(f"<p>{escape(text)}</p>" for text in sites_left_out(records)),
    ]


def _adverse_events(records: Records) -> list[str]:
    """Return the section on adverse events and visits; nothing where there are none."""
    table, picture = lives_table(records), adverse_event_picture(records)
    found = [] if table is None else ["<h2>Adverse events and visits</h2>", *_explained(ABOUT_LIVES, table)]
    by_arm, graded = patients_by_arm(records), adverse_event_tables(records)
    if table is None and by_arm is not None:
        found.append("<h2>What becomes of patients</h2>")
    found += _explained(ABOUT_PATIENTS, by_arm)
    if by_arm is not None and (n_cells := len(records.cells())) > MOST_OF_PATIENTS:
        found.append(f"<p>Shown for the first {MOST_OF_PATIENTS} of {n_cells} designs under a truth.</p>")
    if graded:
        found += [f"<p>{escape(ABOUT_SAFETY)}</p>", *(_text_table(each) for each in graded)]
    if graded and (n_cells := len(records.cells())) > MOST_TABLES:
        found.append(f"<p>Shown for the first {MOST_TABLES} of {n_cells} designs under a truth.</p>")
    if picture is None:
        return found
    texts = (*ABOUT_ADVERSE_EVENTS, *adverse_events_left_out(records))
    return [*found, *(f"<p>{escape(text)}</p>" for text in texts), _figure(picture)]


def _missing(characteristics: OperatingCharacteristics) -> list[str]:
    """Return the section on missing outcomes; nothing where none is missing."""
    table = missing_table(characteristics)
    if table is None:
        return []
    found = ["<h2>Missing outcomes</h2>", *_explained(ABOUT_MISSING, table)]
    if (n_cells := len(characteristics.cells())) > MOST_OF_MISSING:
        found.append(f"<p>Shown for the first {MOST_OF_MISSING} of {n_cells} designs under a truth.</p>")
    return found


def _pictures(characteristics: OperatingCharacteristics, records: Records) -> Iterable[str]:
    pictures = [power_picture(characteristics), stopping_picture(characteristics)]
    pictures.append(duration_picture(records, characteristics))
    for picture in pictures:
        yield _figure(picture)
    n_truths = len({cell.truth for cell in characteristics.cells()})
    if n_truths > MOST_TRUTHS_DRAWN:
        yield f"<p>Power and endings are drawn for the first {MOST_TRUTHS_DRAWN} of {n_truths} truths.</p>"
    if n_truths > MOST_TRUTHS_OF_DURATIONS:
        yield f"<p>Durations are drawn for the first {MOST_TRUTHS_OF_DURATIONS} of {n_truths} truths.</p>"


def _figure(picture: Picture) -> str:
    return (
        f'<figure><img src="{picture.address}" alt="{escape(picture.alternative)}">'
        f"<figcaption>{escape(picture.title)}</figcaption></figure>"
    )


def _definitions(characteristics: OperatingCharacteristics) -> list[str]:
    shown = dict.fromkeys(row.name.partition("[")[0] for row in characteristics.rows)
    entries = [definition(name) for name in shown if not name.endswith(("_median", "_p10", "_p90"))]
    lines = ["<dl>"]
    for entry in entries:
        sentence = escape(entry.sentence)
        lines.append(f"<dt><code>{escape(entry.name)}</code> ({escape(entry.unit)})</dt><dd>{sentence}</dd>")
    lines.append("</dl>")
    estimands = dict.fromkeys(
        f"{fact.hypothesis}: the estimator {fact.estimator} against the estimand {fact.estimand}"
        for fact in characteristics.facts
        if fact.estimator or fact.estimand
    )
    if estimands:
        lines += [
            "<h3>Estimators and estimands</h3>",
            "<ul>",
            *(f"<li>{escape(text)}</li>" for text in estimands),
            "</ul>",
        ]
    return lines


def _assumptions(assumed: Any) -> list[str]:
    if not isinstance(assumed, Mapping) or not assumed:
        return []
    entries = [
        f"<dt><code>{escape(str(path))}</code></dt><dd>{escape(str(why))}</dd>"
        for path, why in assumed.items()
    ]
    return ["<h2>Assumed, not known</h2>", "<dl>", *entries, "</dl>"]


def _provenance(provenance: Mapping[str, Any]) -> str:
    rows = [(label, str(provenance[key])) for key, label in _PROVENANCE.items() if key in provenance]
    packages = provenance.get("packages")
    if isinstance(packages, Mapping):
        rows.append(("packages", ", ".join(f"{name} {number}" for name, number in packages.items())))
    lines = "".join(
        f'<tr><th scope="row">{escape(label)}</th><td>{escape(text)}</td></tr>' for label, text in rows
    )
    return f'<table class="words"><tbody>{lines}</tbody></table>'
