"""Runs dex-retargeting in an environment of its own and answers requests line by line.

Requests and answers are JSON on standard input and output. This file imports nothing of the
project: the two sides share no Python environment.
"""

import json
import sys
import time

import numpy as np
import torch
from dex_retargeting.retargeting_config import RetargetingConfig


def build(request):
    """A retargeter from a configuration; its joints and links are answered."""
    retargeting = RetargetingConfig.from_dict(request["config"]).build()
    answer = {"joint_names": retargeting.joint_names}
    answer["keypoints"] = np.asarray(retargeting.optimizer.target_link_human_indices).tolist()
    return retargeting, answer


def solve(retargeting, request):
    """One frame: the filtered positions, the raw solution and the time that it took."""
    keypoints = np.array(request["keypoints"])
    origin, task = retargeting.optimizer.target_link_human_indices
    reference = keypoints[task, :] - keypoints[origin, :]
    begin = time.perf_counter()
    positions = retargeting.retarget(reference)
    seconds = time.perf_counter() - begin
    return {
        "positions": np.asarray(positions, float).tolist(),
        "solution": np.asarray(retargeting.last_qpos, float).tolist(),
        "seconds": seconds,
    }


def main():
    """Answer until the input ends."""
    torch.set_num_threads(1)
    # Whatever the library prints must not mix with the answers.
    answers, sys.stdout = sys.stdout, sys.stderr
    built = {}
    for line in sys.stdin:
        request = json.loads(line)
        if request["do"] == "build":
            built[request["key"]], answer = build(request)
        else:
            answer = solve(built[request["key"]], request)
        print(json.dumps(answer), file=answers, flush=True)


main()
