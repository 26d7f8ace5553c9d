"""Sites, screening and randomisation."""

from __future__ import annotations

import fit_ramp_up
import numpy as np
import pandas as pd
from fit_ramp_up import SLOWED
from pilot_likelihood import maximise
from pilot_tables import Floats, Row, read, row, share
from scipy.special import betaln, gammaln
from scipy.stats.mstats import mjci

PERIOD = 90


def site_table(screening: pd.DataFrame, closing: int) -> pd.DataFrame:
    """Return for each site its first screening, what followed it, and the days from then to closing."""
    grouped = screening.groupby("site")
    table = grouped["screening_day"].agg(activation="min", screened="size")
    table["last"] = grouped["screening_day"].max()
    table["failed"] = grouped["failed"].sum()
    table["days"] = closing - table["activation"]
    return table


def fit_site_rates(later: Floats, days: Floats) -> tuple[Floats, Floats, float]:
    """Return log mean and log shape of a gamma distribution of site rates, given Poisson counts.

    Parameters
    ----------
    later
        Screened after the first at each site, ``[site]``: the first one is what starts the clock.
    days
        Days at risk, ``[site]``.

    Notes
    -----
    Poisson-gamma model of recruitment (Anisimov and Fedorov, Stat Med 2007;26:4958), negative binomial counts.
    """

    def log_likelihood(at: Floats) -> float:
        mean, shape = np.exp(at[0]) * days, np.exp(at[1])
        terms = gammaln(later + shape) - gammaln(shape) - gammaln(later + 1)
        return float(
            (terms + shape * np.log(shape / (shape + mean)) + later * np.log(mean / (shape + mean))).sum()
        )

    return maximise(log_likelihood, np.array([np.log(later.sum() / days.sum()), 0.0]))


def fit_failures(failed: Floats, screened: Floats) -> tuple[Floats, Floats, float]:
    """Return the logit of the mean and the log of a + b of a beta distribution of sites' failure probabilities."""

    def log_likelihood(at: Floats) -> float:
        mean, size = 1 / (1 + np.exp(-at[0])), np.exp(at[1])
        a, b = mean * size, (1 - mean) * size
        return float((betaln(failed + a, screened - failed + b) - betaln(a, b)).sum())

    return maximise(log_likelihood, np.array([-1.5, 1.5]))


def fit() -> dict[str, Row]:
    """Return the figures of enrolment, by name."""
    screening = read("screening")
    closing = int(screening["screening_day"].max())
    sites = site_table(screening, closing)
    later = sites["screened"].to_numpy(float) - 1
    found: dict[str, Row] = {}
    for site, line in sites.iterrows():
        of_site = f"site {site}"
        found[f"activation_day.{site}"] = row(
            int(line["activation"]),
            None,
            1,
            "day",
            f"first screening at {of_site}, days since the study's first",
        )
        found[f"last_screening_day.{site}"] = row(
            int(line["last"]), None, 1, "day", f"last screening at {of_site}, days since the study's first"
        )
        found[f"screening_rate.{site}"] = row(
            (line["screened"] - 1) / line["days"],
            np.sqrt(line["screened"] - 1) / line["days"] if line["screened"] > 1 else None,
            line["screened"] - 1,
            "per day",
            f"screened after the first at {of_site}, per day from the first to closing_day",
        )
    activation = sites["activation"].to_numpy(float)
    opened = activation[activation > 0]
    found["activation_day.mean"] = row(
        opened.mean(),
        opened.std(ddof=1) / np.sqrt(len(opened)),
        len(opened),
        "days",
        "mean activation day of the sites other than the first",
    )
    found["activation_day.sd"] = row(
        opened.std(ddof=1), _se_of_sd(opened), len(opened), "days", "its standard deviation between sites"
    )
    found["closing_day"] = row(closing, None, len(screening), "day", "day of the last screening of the study")
    last = np.sort(screening["screening_day"].to_numpy())[-2]
    found["closing_day.last_but_one"] = row(
        int(last),
        None,
        len(screening),
        "day",
        "day of the last screening but one, for a sensitivity analysis",
    )
    days_to_fit = {
        "": (later, sites["days"].to_numpy(float), "closing_day"),
        ".closing_last_but_one": _closed_at(screening, int(last), "the last screening but one"),
        f".until_{SLOWED}": _closed_at(screening, SLOWED, f"study day {SLOWED}, after which screening slows"),
    }
    for name, (counts, days, until) in days_to_fit.items():
        estimate, covariance, _ = fit_site_rates(counts, days)
        mean, shape = np.exp(estimate)
        spread = np.sqrt(np.diag(covariance))
        found[f"site_rate_mean{name}"] = row(
            mean,
            mean * spread[0],
            len(counts),
            "per site-day",
            f"mean of the gamma distribution of site screening rates, exposure from activation to {until}",
        )
        found[f"site_rate_shape{name}"] = row(
            shape, shape * spread[1], len(counts), "1", "shape of that gamma distribution"
        )
    scaled = (screening["screening_day"] - screening["site"].map(sites["activation"])) / screening[
        "site"
    ].map(sites["days"])
    scaled = scaled.drop(screening.groupby("site")["screening_day"].idxmin())
    found["screening_evenness"] = row(
        scaled.mean(),
        np.sqrt(1 / 12 / len(scaled)),
        len(scaled),
        "1",
        "mean place of a site's later screenings between its activation (0) and closing_day (1); 0.5 if even",
    )
    found |= _by_period(screening, sites, closing)
    found["screen_failure"] = share(
        int(screening["failed"].sum()),
        len(screening),
        "screened who were not randomised; one reason recorded",
    )
    estimate, covariance, _ = fit_failures(sites["failed"].to_numpy(float), sites["screened"].to_numpy(float))
    mean, size = 1 / (1 + np.exp(-estimate[0])), np.exp(estimate[1])
    spread = np.sqrt(np.diag(covariance))
    found["screen_failure.site_mean"] = row(
        mean,
        mean * (1 - mean) * spread[0],
        len(sites),
        "probability",
        "mean of a beta distribution of the sites' screen-failure probabilities (beta-binomial)",
    )
    found["screen_failure.site_size"] = row(
        size, size * spread[1], len(sites), "1", "a + b of that beta distribution"
    )
    return found | _until_slowed(screening) | fit_ramp_up.fit(screening) | _balance() | _lags(screening)


def _until_slowed(screening: pd.DataFrame) -> dict[str, Row]:
    """Return each site's rate until screening slows, and the share of screening that is missing afterwards."""
    day = screening["screening_day"]
    sites = site_table(screening, int(day.max()))
    first = screening.loc[screening.groupby("site")["screening_day"].idxmin()].index
    later = screening.drop(first)
    early = later[later["screening_day"] <= SLOWED].groupby("site").size().reindex(sites.index, fill_value=0)
    days = SLOWED - sites["activation"]
    found = {
        f"screening_rate.{site}.until_{SLOWED}": row(
            early[site] / days[site],
            np.sqrt(early[site]) / days[site] if early[site] else None,
            early[site],
            "per day",
            f"screened after the first at site {site}, per day from the first to study day {SLOWED}",
        )
        for site in sites.index
    }
    after = len(later) - int(early.sum())
    usual, variance = float((early / days).sum()), float((early / days**2).sum())
    ratio = after / (usual * (int(day.max()) - SLOWED))
    found["screening_slowdown"] = row(
        1 - ratio,
        ratio * np.sqrt(1 / after + variance / usual**2),
        len(later),
        "share",
        f"share by which screening from study day {SLOWED} to closing_day is below the sites' rates until {SLOWED}",
    )
    return found


def _balance() -> dict[str, Row]:
    """Return how far apart the arms are within sites: 1 at most is what blocks of three within sites give."""
    patients = read("patients")
    numbers = patients.groupby(["site", "arm"]).size().unstack(fill_value=0)
    apart = numbers.max(axis=1) - numbers.min(axis=1)
    return {
        "allocation.largest_difference_in_site": row(
            int(apart.max()),
            None,
            len(apart),
            "patients",
            "largest difference between two arms within a site",
        )
    }


def _closed_at(screening: pd.DataFrame, closing: int, until: str) -> tuple[Floats, Floats, str]:
    """Return later screenings and days at risk by site if enrolment had closed on an earlier day."""
    sites = site_table(screening[screening["screening_day"] <= closing], closing)
    return (
        sites["screened"].to_numpy(float) - 1,
        sites["days"].to_numpy(float),
        until,
    )


def _by_period(screening: pd.DataFrame, sites: pd.DataFrame, closing: int) -> dict[str, Row]:
    """Return screenings per open site and day in periods of 90 days, the first of each site left out."""
    later = screening.drop(screening.groupby("site")["screening_day"].idxmin())["screening_day"]
    found = {}
    for start in range(0, closing, PERIOD):
        end = min(start + PERIOD, closing)
        days = (end - sites["activation"].clip(lower=start)).clip(lower=0).sum()
        name = f"screening_rate_by_period.{start}-{end}"
        count = int(((later > start) & (later <= end)).sum())
        found[name] = row(
            count / days,
            np.sqrt(count) / days if count else None,
            count,
            "per site-day",
            f"screened after the first of each site, per open site, from study day {start} to {end}",
        )
    return found


def _lags(screening: pd.DataFrame) -> dict[str, Row]:
    """Return the time from screening to randomisation: quantiles, extremes, log-normal."""
    lag = (screening["randomisation_day"] - screening["screening_day"]).dropna().to_numpy(float)
    n, found = len(lag), {}
    for probability in (0.05, 0.25, 0.5, 0.75, 0.95):
        found[f"screening_to_randomisation.quantile_{probability:g}"] = row(
            float(np.quantile(lag, probability)),
            float(mjci(lag, [probability])[0]),
            n,
            "days",
            f"{probability:g} quantile of the days from screening to randomisation; Maritz-Jarrett s.e.",
        )
    logs = np.log(lag)
    found["screening_to_randomisation.log_mean"] = row(
        logs.mean(), logs.std() / np.sqrt(n), n, "log days", "mean of their logarithms (log-normal, ML)"
    )
    found["screening_to_randomisation.log_sd"] = row(
        logs.std(), logs.std() / np.sqrt(2 * n), n, "log days", "standard deviation of their logarithms"
    )
    found["screening_to_randomisation.shortest"] = row(int(lag.min()), None, n, "days", "the shortest")
    found["screening_to_randomisation.longest"] = row(int(lag.max()), None, n, "days", "the longest")
    found["screening_to_randomisation.within_14"] = share(
        int((lag <= 14).sum()), n, "randomised within 14 days of screening"
    )
    return found


def _se_of_sd(values: Floats) -> float:
    """Return the standard error of a standard deviation from the fourth moment (delta method)."""
    centred = values - values.mean()
    variance = (centred**2).mean()
    return float(np.sqrt(((centred**4).mean() - variance**2) / len(values)) / (2 * np.sqrt(variance)))
