"""Running a profile: params.yaml, cells and their keys, workers, the sweep."""
