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
        "cox": "trialsim.analyses.cox:Cox",
        "t_test": "trialsim.analyses.means:TTest",
        "z_test": "trialsim.analyses.means:ZTest",
        "score_test": "trialsim.analyses.score_test:ScoreTest",
    },
    "designs": {
        "fixed": "trialsim.designs.fixed:Fixed",
        "group_sequential": "trialsim.designs.sequential_design:GroupSequential",
    },
    "policies": {
        "stopping.bounds": "trialsim.policies.bounds:Bounds",
        "stopping.drop_arms": "trialsim.policies.drop_arms:DropArms",
        "randomisation.by_design": "trialsim.policies.by_design:ByDesign",
        "randomisation.rosenberger": "trialsim.policies.rosenberger:Rosenberger",
        "recruitment.first_come_first_served": "trialsim.policies.traditional:FirstComeFirstServed",
        "recruitment.random": "trialsim.policies.ranking:Random",
        "recruitment.by_covariate": "trialsim.policies.ranking:ByCovariate",
        "sites.all_open": "trialsim.policies.traditional:AllOpen",
        "monitoring.by_protocol": "trialsim.policies.traditional:ByProtocol",
    },
}
