"""The environment of allocation for those who learn with Gymnasium; needs the extra ``trialsim[gym]``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from trialsim.contracts import Floats
from trialsim.engines.plan import Plan
from trialsim.errors import UsageError
from trialsim.learning.env import AllocationEnvironment, Halt, require_weights
from trialsim.learning.screening_log import FIRST_REPLICATE
from trialsim.models.allocation_network import FEATURES, arm_features

try:
    from gymnasium import spaces
    from gymnasium.vector import AutoresetMode, VectorEnv
except ImportError as error:
    raise UsageError(
        f"the Gymnasium environment needs gymnasium; install trialsim with its extra: pip install 'trialsim[gym]' "
        f"({error.name} is missing)"
    ) from None


class TrialVectorEnv(VectorEnv):  # type: ignore[misc, unused-ignore]
    """Trials as sub-environments: one step is from one change of allocation to the next.

    Observations are the features of the arms (:func:`trialsim.models.allocation_network.arm_features`), flattened; actions
    are allocation weights by arm, of which only the proportions count. How trials ended is known once all have: they are
    terminated together, each with its reward, its responders + ``power_weight`` times whether it rejects. Of one that has
    ended before, observations stay as they were, and actions do nothing.

    Parameters
    ----------
    plans
        One a world; see :class:`trialsim.learning.env.AllocationEnvironment`.
    trials
        Of each world.
    power_weight
        How many responders a rejection is worth.
    """

    def __init__(self, plans: Sequence[Plan], trials: int, power_weight: float) -> None:
        self._environment = AllocationEnvironment(plans, trials)
        self._worth, arms = power_weight, len(plans[0].arms)
        self.num_envs = len(plans) * trials
        self.metadata = {"autoreset_mode": AutoresetMode.DISABLED}
        self.single_observation_space = spaces.Box(-np.inf, np.inf, (arms * len(FEATURES),), np.float64)
        self.single_action_space = spaces.Box(0.0, 1.0, (arms,), np.float64)
        self.observation_space = spaces.Box(
            -np.inf, np.inf, (self.num_envs, arms * len(FEATURES)), np.float64
        )
        self.action_space = spaces.Box(0.0, 1.0, (self.num_envs, arms), np.float64)
        self._round = 0
        self._halt: Halt | None = None
        self._seen = np.zeros((self.num_envs, arms * len(FEATURES)))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Floats, dict[str, Any]]:
        """Start trials that were not met before; ``seed`` says which round of them comes, from 0.

        Replicates are those of training, which no run simulates.
        """
        super().reset(seed=seed)
        self._round = self._round if seed is None else seed
        self._halt = self._environment.reset(FIRST_REPLICATE + self._round * self._environment.trials)
        self._round += 1
        self._seen[:] = 0.0
        return self._observe(), {}

    def step(self, actions: Floats) -> tuple[Floats, Floats, np.ndarray, np.ndarray, dict[str, Any]]:
        """Allocate as told until the next change.

        Parameters
        ----------
        actions
            Allocation weights, ``[trial, arm]``; those of closed arms count as 0, and equal ones stand for none at all.

        Raises
        ------
        UsageError
            If they are not finite, negative or of another shape, or if every trial has ended.
        """
        if self._halt is None:
            raise UsageError("every trial has ended: reset the environment first")
        asked = np.asarray(actions, dtype=np.float64)
        view = self._halt.view
        require_weights(asked, (self.num_envs, view.open_arms.shape[1]))
        given = np.where(view.open_arms, asked[self._halt.trial], 0.0)
        given = np.where(given.sum(axis=1, keepdims=True) > 0.0, given, view.open_arms.astype(np.float64))
        self._halt = self._environment.step(given / given.sum(axis=1, keepdims=True))
        reward, nobody = np.zeros(self.num_envs), np.zeros(self.num_envs, dtype=bool)
        if self._halt is not None:
            return self._observe(), reward, nobody, nobody.copy(), {}
        outcome = self._environment.outcome()
        reward[:] = outcome.responders + self._worth * outcome.rejected
        return self._observe(), reward, ~nobody, nobody, {}

    def _observe(self) -> Floats:
        """Return what is seen of each trial; of one that has ended, what was seen last."""
        if self._halt is not None:
            self._seen[self._halt.trial] = arm_features(self._halt.view).reshape(len(self._halt.trial), -1)
        return self._seen.copy()
