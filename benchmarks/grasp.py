"""Grasping: each hand lifts a cube and a ball, its fingers moved by human keypoints."""

from __future__ import annotations

import mujoco
import numpy as np

from benchmarks.grasp_trial import OBJECTS, PLANS, GraspOutcome, GraspTrial
from benchmarks.report import table, write_report

SEEDS = 20


def main() -> None:
    """Run every pair and leave out/bench/grasp.json."""
    rates: dict[str, float] = {}
    details: dict[str, dict[str, object]] = {}
    rows = []
    for hand, plan in PLANS.items():
        for name, item in OBJECTS.items():
            trial = GraspTrial(hand, "right", item, plan)
            outcomes = [trial.run(seed) for seed in range(SEEDS)]
            pair = f"{hand}_{name}"
            rates[pair] = sum(outcome.success for outcome in outcomes) / SEEDS
            details[pair] = {**_figures(outcomes), **_honesty(trial)}
            rows.append((pair, rates[pair], 1000 * min(o.lowest_m for o in outcomes)))
            print(f"{pair}: {rates[pair]:.2f}", flush=True)
    print(table(("pair", "success", "lowest_mm"), rows))
    write_report("grasp", {"success_rate": min(rates.values()), **rates}, details)


def _figures(outcomes: list[GraspOutcome]) -> dict[str, object]:
    return {
        "seeds": len(outcomes),
        "lowest_m": [outcome.lowest_m for outcome in outcomes],
        "fingertip_force_n": np.mean([outcome.fingertip_force_n for outcome in outcomes], axis=0),
        "states": sorted({state for outcome in outcomes for state in outcome.states}),
    }


def _honesty(trial: GraspTrial) -> dict[str, object]:
    """What the physics were, read from the model that ran."""
    model = trial.physics.model
    return {
        "largest_friction": float(np.max(model.geom_friction[:, 0])),
        "largest_torque_nm": float(np.max(model.actuator_forcerange)),
        "object_mass_kg": float(model.body(trial.item.name).mass[0]),
        "timestep_s": float(model.opt.timestep),
        # Adhesion is what acts on a whole body in MuJoCo.
        "adhesion_actuators": int(np.sum(model.actuator_trntype == mujoco.mjtTrn.mjTRN_BODY)),
        "welds": [
            model.equality(i).name
            for i in range(model.neq)
            if model.eq_type[i] == mujoco.mjtEq.mjEQ_WELD
        ],
    }


if __name__ == "__main__":
    main()
