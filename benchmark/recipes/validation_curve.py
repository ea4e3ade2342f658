"""Is the fit on real data alone as good as it gets? Loss on validation pairs by length of the fit.

    python -m benchmark.recipes.validation_curve

fits the standard profile's language model on the real data of each seed for less and for more epochs than the instance states, with the
same batches and the same warm-up, and prints the loss on the validation split. A fit that stopped too early, or overfits, would
make collapse of a bad learning rate.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmark.core.history import History, real_data_only
from benchmark.core.requests import NEUTRAL
from benchmark.core.streams import stream
from benchmark.runs import params

SHARES = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0)  # of the instance's epochs


def losses(task: Any, seed: int) -> list[float]:
    """Nats per token on the validation pairs, for each share."""
    held_out = task.base.encode(task.corpus("validation"))
    world = task.world(stream(seed, "world"))
    real = real_data_only(History(task.real_data(world, task.n, stream(seed, "real data"))))
    found = []
    for share in SHARES:
        longer = replace(task, epochs=share * task.epochs, warmup=task.warmup / share)
        model = longer.fit(real, NEUTRAL, lambda: stream(seed, "fit"))
        found.append(float(task.test_loss(model, held_out)))
    return found


def main() -> None:
    root = Path(__file__).parents[2]
    (instance, *_) = params.instances(params.load(root), "standard", "language_model")
    print("seed  " + "  ".join(f"{share:5.2f}" for share in SHARES) + "   own above the minimum")
    for seed in range(instance.seeds):
        found = losses(instance.task, seed)
        print(f"{seed:4}  " + "  ".join(f"{loss:5.3f}" for loss in found), end="   ")
        print(f"{found[SHARES.index(1.0)] - min(found):.3f}", flush=True)


if __name__ == "__main__":
    main()
