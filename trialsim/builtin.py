"""The parts that ship: one line each, ``name: "module:attribute"``, imported only when a scenario asks for them."""

from __future__ import annotations

from typing import Final

BUILTIN: Final[dict[str, dict[str, str]]] = {
    "endpoints": {
        "survival": "trialsim.scenario.endpoints:SurvivalEndpoint",
        "binary": "trialsim.scenario.endpoints:BinaryEndpoint",
        "continuous": "trialsim.scenario.endpoints:ContinuousEndpoint",
    },
    "analyses": {
        "logrank": "trialsim.analyses.logrank:Logrank",
        "fleming_harrington": "trialsim.analyses.fleming_harrington:FlemingHarrington",
        "cox": "trialsim.analyses.cox:Cox",
        "restricted_mean": "trialsim.analyses.restricted_mean:RestrictedMean",
        "milestone": "trialsim.analyses.milestone:Milestone",
        "rerandomised_logrank": "trialsim.analyses.rerandomisation:RerandomisedLogrank",
        "t_test": "trialsim.analyses.means:TTest",
        "welch": "trialsim.analyses.means:Welch",
        "z_test": "trialsim.analyses.means:ZTest",
        "ancova": "trialsim.analyses.ancova:Ancova",
        "procova": "trialsim.analyses.ancova:Procova",
        "rerandomised_means": "trialsim.analyses.rerandomisation:RerandomisedMeans",
        "score_test": "trialsim.analyses.score_test:ScoreTest",
        "fisher": "trialsim.analyses.fisher:Fisher",
        "miettinen_nurminen": "trialsim.analyses.miettinen_nurminen:MiettinenNurminen",
        "cochran_mantel_haenszel": "trialsim.analyses.cochran_mantel_haenszel:CochranMantelHaenszel",
        "logistic": "trialsim.analyses.logistic:Logistic",
        "rerandomised_proportions": "trialsim.analyses.rerandomisation:RerandomisedProportions",
        "cmh_by_period": "trialsim.analyses.allocation_periods:CmhByPeriod",
        "inverse_probability_weighted": "trialsim.analyses.allocation_periods:InverseProbabilityWeighted",
        "beta_binomial": "trialsim.analyses.beta_binomial:BetaBinomial",
    },
    "designs": {
        "fixed": "trialsim.designs.fixed:Fixed",
        "group_sequential": "trialsim.designs.sequential_design:GroupSequential",
        "bayesian": "trialsim.designs.bayesian:Bayesian",
    },
    "policies": {
        "stopping.bounds": "trialsim.policies.bounds:Bounds",
        "stopping.drop_arms": "trialsim.policies.drop_arms:DropArms",
        "randomisation.by_design": "trialsim.policies.by_design:ByDesign",
        "randomisation.rosenberger": "trialsim.policies.rosenberger:Rosenberger",
        "randomisation.thompson": "trialsim.policies.thompson:Thompson",
        "randomisation.protected_control": "trialsim.policies.protected_control:ProtectedControl",
        "randomisation.doubly_adaptive": "trialsim.policies.doubly_adaptive:DoublyAdaptive",
        "recruitment.first_come_first_served": "trialsim.policies.traditional:FirstComeFirstServed",
        "recruitment.random": "trialsim.policies.ranking:Random",
        "recruitment.by_covariate": "trialsim.policies.ranking:ByCovariate",
        "sites.all_open": "trialsim.policies.traditional:AllOpen",
        "monitoring.by_protocol": "trialsim.policies.traditional:ByProtocol",
    },
}
