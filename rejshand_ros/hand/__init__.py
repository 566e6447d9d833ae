"""The human hand: keypoints, template mesh, kinematics, fitting."""
