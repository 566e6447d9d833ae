"""A video in real time through MediaPipe Hands and dex-retargeting in one process, without ROS.

What somebody writes who wants to drive a robot hand from a camera with what is there: one loop
that takes an image, asks MediaPipe for the hand, turns its metric points into the operator frame
and solves for the joints. The images come as from a camera of the video's rate: each is due at its
time, and decoding it is not counted. Runs in an environment of its own and imports nothing of the
project.

Arguments: the video, and dex-retargeting's configuration as JSON. Standard output: one JSON with
the milliseconds from each image's due time to its joint positions (null where no hand was found),
and the process's memory.
"""

import json
import pathlib
import sys
import time

import cv2
import mediapipe
import numpy as np
import torch
from dex_retargeting.retargeting_config import RetargetingConfig


def operator_frame(points):
    """Points (21, 3) from the wrist, z from the wrist to the fingers, x out of the palm."""
    points = points - points[0]
    palm = points[[0, 5, 9]]
    normal = np.linalg.svd(palm - palm.mean(0))[2][2]
    upward = points[0] - points[9]
    upward -= upward.dot(normal) * normal
    upward /= np.linalg.norm(upward)
    across = np.cross(upward, normal)
    if across.dot(points[5] - points[9]) < 0:
        normal, across = -normal, -across
    # Columns x, y, z as dex-retargeting's right hand wants them.
    return points @ np.column_stack([normal, across, -upward])


def memory_kb():
    """Resident and proportional memory of this process."""
    lines = pathlib.Path("/proc/self/smaps_rollup").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines if line.startswith(("Rss:", "Pss:")))
    return {name: int(fields[name].split()[0]) for name in ("Rss", "Pss")}


def main():
    """Play the video once."""
    answers, sys.stdout = sys.stdout, sys.stderr
    torch.set_num_threads(1)
    video = cv2.VideoCapture(sys.argv[1])
    period = 1.0 / video.get(cv2.CAP_PROP_FPS)
    retargeting = RetargetingConfig.from_dict(json.loads(sys.argv[2])).build()
    origin, task = retargeting.optimizer.target_link_human_indices
    hands = mediapipe.solutions.hands.Hands(max_num_hands=1)
    # A warm start, as ours has one.
    hands.process(np.zeros((480, 640, 3), np.uint8))
    milliseconds = []
    good, frame = video.read()
    start = time.perf_counter() + period
    for index in range(10**9):
        if not good:
            break
        due = start + index * period
        time.sleep(max(0.0, due - time.perf_counter()))
        found = hands.process(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)).multi_hand_world_landmarks
        if found:
            points = operator_frame(np.array([(p.x, p.y, p.z) for p in found[0].landmark]))
            retargeting.retarget(points[task] - points[origin])
            milliseconds.append(1e3 * (time.perf_counter() - due))
        else:
            milliseconds.append(None)
        good, frame = video.read()
    print(json.dumps({"milliseconds": milliseconds, "memory_kb": memory_kb()}), file=answers)


main()
