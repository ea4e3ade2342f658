"""How much real data keeps a model safe: the map, the answer read from it, and what the order of data changes. maps/dvc.yaml makes it all."""
