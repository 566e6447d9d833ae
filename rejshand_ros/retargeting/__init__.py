"""From human keypoints to robot joint targets."""
