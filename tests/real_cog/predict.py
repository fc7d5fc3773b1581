"""The model of the tests: its setup and its predictions take as long as they are told to.

Each prediction leaves a line in `predictions`, which is the ground truth of how many ran.
"""

import os
import time

from cog import BasePredictor, Input


class Predictor(BasePredictor):
    def setup(self) -> None:
        time.sleep(float(os.environ.get("SETUP_SECONDS", "0")))
        print("weights are in place")
        if "SETUP_FAILS" in os.environ:
            raise RuntimeError(os.environ["SETUP_FAILS"])

    def predict(
        self,
        prompt: str = Input(description="what to say"),
        seconds: float = Input(description="how long to take", default=0, ge=0, le=600),
        num_outputs: int = Input(description="how often to say it", default=4, ge=1, le=8),
        fails: bool = Input(description="raise instead", default=False),
        dies: bool = Input(description="take the worker down instead", default=False),
    ) -> str:
        with open("predictions", "a") as ran:
            ran.write(f"{prompt} {num_outputs}\n")
        # In small steps, so that a cancelled prediction ends, as one of many layers does.
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(0.02)
        if fails:
            raise ValueError("the weights are of clay")
        if dies:
            os._exit(7)
        return " ".join([prompt] * num_outputs)
