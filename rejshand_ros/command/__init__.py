"""What the robot hand is told: states, limits, watchdog."""
