"""Models that want something of their input that their schema does not say.

Each prediction leaves its input as a line of JSON in `predictions`, files as their first bytes.
"""

import json
import tempfile
import time
import wave
from importlib.metadata import version
from typing import Optional

from cog import BasePredictor, Input, Path


# 0.9 knows no `Optional`, and later ones answer 500 without it.
IS_OLD = version("cog").startswith("0.9.")
MaybePath = Path if IS_OLD else Optional[Path]
MaybeText = str if IS_OLD else Optional[str]


def note(**given):
    def plain(value):
        return Path(value).read_bytes()[:12].decode("latin-1") if isinstance(value, Path) else value

    with open("predictions", "a") as ran:
        ran.write(json.dumps({key: plain(value) for key, value in given.items()}) + "\n")


class Transcriber(BasePredictor):
    """Wants sound that can be read."""

    def predict(
        self,
        audio: Path = Input(description="What to transcribe"),
        batch_size: int = Input(description="Parallelization of the input", default=64),
    ) -> str:
        note(audio=audio, batch_size=batch_size)
        with wave.open(str(audio)) as sound:
            if sound.getnframes() < sound.getframerate() / 2:
                raise ValueError("there is nothing to hear")
        return ""


class Remover(BasePredictor):
    """Wants one of two files, and not both."""

    def predict(
        self,
        image: MaybePath = Input(description="Input image", default=None),
        video: MaybePath = Input(description="Input video", default=None),
    ) -> str:
        note(image=image, video=video)
        if (image is None) == (video is None):
            raise ValueError("exactly one source has to be there")
        return "done"


class Painter(BasePredictor):
    """Changes an image in a share of its steps."""

    def predict(
        self,
        image: Path = Input(description="The image to start from"),
        prompt_strength: float = Input(description="1.0 destroys the image", default=0.8, ge=0, le=1),
        num_inference_steps: int = Input(description="Steps", default=50, ge=1, le=500),
    ) -> str:
        note(image=image, num_inference_steps=num_inference_steps)
        if not image.read_bytes().startswith(b"\x89PNG"):
            raise ValueError("that is no image")
        if int(num_inference_steps * prompt_strength) < 1:
            raise RuntimeError("cannot reshape tensor of 0 elements")
        return "done"


class Writer(BasePredictor):
    """Has a limit that counts the prompt too, and does not say so."""

    def predict(
        self,
        prompt: str = Input(description="What to go on from"),
        max_length: int = Input(description="Maximum number of tokens to generate", default=64, ge=1),
        num_beams: int = Input(description="Beams", default=4, ge=1),
    ) -> str:
        note(prompt=prompt, max_length=max_length, num_beams=num_beams)
        if max_length <= len(prompt):
            raise ValueError(f"Input length is {len(prompt)}, but `max_length` is set to {max_length}.")
        return prompt


class Fussy(BasePredictor):
    """Fails on each of its knobs where it is small, without a word about which."""

    def predict(
        self,
        prompt: str = Input(description="What to show"),
        ddim_steps: int = Input(description="Steps", default=30, ge=1),
        num_frames: int = Input(description="Frames", default=16, ge=1),
        width: int = Input(description="Width", default=512),
        height: int = Input(description="Height", default=512),
    ) -> str:
        note(prompt=prompt, ddim_steps=ddim_steps, num_frames=num_frames, width=width, height=height)
        if ddim_steps < 10 or num_frames < 8 or width * height < 400 * 400:
            raise RuntimeError("list index out of range")
        return "done"


class Slow(BasePredictor):
    """Takes a minute by its defaults."""

    def predict(
        self,
        text: MaybeText = Input(description="What to say", default=None),
        diffusion_steps: int = Input(description="Iterations of the sampler", default=600),
        length_in_seconds: int = Input(description="How long", default=10),
    ) -> str:
        note(text=text, diffusion_steps=diffusion_steps, length_in_seconds=length_in_seconds)
        if not text:
            raise TypeError("expected str, bytes or os.PathLike object, not NoneType")
        time.sleep(0.01 * diffusion_steps * length_in_seconds)
        return text


class Filer(BasePredictor):
    """Returns a file of 20 MB, which its server puts into the answer."""

    def predict(self, prompt: str = Input(description="What to draw")) -> Path:
        note(prompt=prompt)
        file = Path(tempfile.mkdtemp()) / "film.mp4"
        file.write_bytes(b"\0" * 20_000_000)
        return file


class Refuser(BasePredictor):
    """Refuses what it made, now and then."""

    def predict(self, prompt: str = Input(description="What to draw")) -> str:
        note(prompt=prompt)
        with open("predictions") as ran:
            if len(ran.readlines()) % 2 == 1:
                raise ValueError("NSFW content detected in all outputs")
        return "done"
