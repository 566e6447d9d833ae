"""Reads a data set with lerobot's own loader; run by the Python that has lerobot.

usage: lerobot_reader.py ROOT. Prints one line of JSON: what a training loop would see.
"""

import json
import os
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

from lerobot.datasets.lerobot_dataset import LeRobotDataset
from torch.utils.data import DataLoader


def main() -> None:
    dataset = LeRobotDataset("local/episodes", root=Path(sys.argv[1]), video_backend="pyav")
    rows = {"action": [], "observation.state": [], "grey": [], "timestamp": [], "task": []}
    episodes = []
    shapes = {}
    for batch in DataLoader(dataset, batch_size=4):
        image = batch["observation.images.camera"]
        shapes = {"image_shape": list(image.shape[1:])}
        rows["grey"] += image.mean(dim=(1, 2, 3)).tolist()
        rows["action"] += batch["action"].tolist()
        rows["observation.state"] += batch["observation.state"].tolist()
        rows["timestamp"] += batch["timestamp"].tolist()
        rows["task"] += batch["task"]
        episodes += batch["episode_index"].tolist()
    facts = {"episodes": dataset.num_episodes, "fps": dataset.fps, "episode_index": episodes}
    print(json.dumps({**facts, **shapes, **rows}))


if __name__ == "__main__":
    main()
