"""Episodes turned into data sets for imitation learning."""
