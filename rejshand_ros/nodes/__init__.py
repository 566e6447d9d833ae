"""ROS 2 shells around the core; the only room that knows ROS."""
