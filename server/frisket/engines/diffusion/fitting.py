"""Add-ons put onto a pipeline for one run, and taken off again, whatever happens in it.

What was read last is kept for the next run, as many as KEPT, where the model's networks are.
"""

from __future__ import annotations

import contextlib
import inspect
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import torch

from frisket.engines.diffusion import inversion, lora, nets, reference
from frisket.engines.diffusion.addons import Addon, Asked, asked, found
from frisket.engines.diffusion.call import ENDLESS
from frisket.engines.diffusion.controls import control_of
from frisket.engines.diffusion.opening import quiet
from frisket.engines.diffusion.table import CONTROLLED, Row
from frisket.engines.spec import Work
from frisket.errors import ParameterNotHonoured
from frisket.models.families import Family
from frisket.models.record import Record

KEPT = 6  # add-ons

Given = Callable[[int], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Fit:
    """A pipeline with its add-ons. given: what a call for so many pictures is told besides. added: it has some."""

    pipe: Any
    given: Given
    added: bool = True


class Wardrobe:
    """The add-ons of one model, from the models folder `root`."""

    def __init__(self, root: Path, model: Record) -> None:
        self._root, self._model = root, model
        self._kept: OrderedDict[tuple[Family, str, str], Any] = OrderedDict()

    def forget(self) -> None:
        """Everything that is kept."""
        self._kept.clear()

    @contextlib.contextmanager
    def fitted(self, pipe: Any, row: Row, work: Work, device: str) -> Iterator[Fit]:
        """While it lasts, the pipeline paints with what work.params ask for; without any it is just the pipeline.

        device: where the networks work. Raises ParameterOutOfRange, ParameterNotHonoured, ModelNotInstalled,
        AddonUnsuitable, ModelFileUnusable, ModelDamaged.
        """
        wanted = asked(work.params)
        if wanted == Asked(control=wanted.control):
            yield Fit(pipe, _nothing, added=False)
            return
        if wanted.controlnet and not row.image:
            suggestion = "An empty layer has no lines to follow."
            raise ParameterNotHonoured(engine=self._model.id, name="controlnet", suggestion=suggestion)
        if wanted.ip_adapter and not row.image and work.reference is None:
            suggestion = "An empty layer is no picture to follow: give a reference."
            raise ParameterNotHonoured(engine=self._model.id, name="ip_adapter", suggestion=suggestion)
        with contextlib.ExitStack() as stack:
            if wanted.vae:
                other = self._network(wanted.vae, Family.VAE, pipe, nets.vae, pipe.vae.dtype, device)
                stack.enter_context(_swapped(pipe, "vae", other))
            given: Given = _nothing
            if wanted.controlnet:
                id_, weight = wanted.controlnet
                net = self._network(id_, Family.CONTROLNET, pipe, nets.controlnet, pipe.unet.dtype, device)
                pipe = controlled(pipe, row, net)
                given = _control(row, control_of(wanted.control, work.crop, work.hole), weight)
            loras = [(self._read(id_, Family.LORA, pipe, lora.read), weight) for id_, weight in wanted.loras]
            words = [self._read(id_, Family.TEXTUAL_INVERSION, pipe, inversion.read) for id_ in wanted.embeddings]
            inversion.check_said(words, work.prompt, work.negative_prompt)
            if wanted.ip_adapter:
                id_, weight = wanted.ip_adapter
                look = self._read(id_, Family.IP_ADAPTER, pipe, reference.read)
                guided = float(work.params["guidance_scale"]) > ENDLESS
                picture = work.crop if work.reference is None else work.reference
                given = _both(
                    given, stack.enter_context(reference.followed(pipe, look, picture, weight, guided, device))
                )
            stack.enter_context(lora.added(pipe, loras))
            stack.enter_context(inversion.known(pipe, words))
            yield Fit(pipe, given)

    def _network(
        self, id_: str, kind: Family, pipe: Any, read: Callable[[Addon, Any, Record], Any], dtype: Any, device: str
    ) -> torch.nn.Module:
        network = self._read(id_, kind, pipe, read)
        with quiet():
            network = network.to(device=device, dtype=dtype)
        return network.to(memory_format=torch.channels_last) if torch.device(device).type == "cuda" else network

    def _read(self, id_: str, kind: Family, pipe: Any, read: Callable[[Addon, Any, Record], Any]) -> Any:
        addon = found(self._root, id_, kind, self._model)
        key = (kind, id_, addon.stamp)
        if key not in self._kept:
            self._kept[key] = read(addon, pipe, self._model)
        self._kept.move_to_end(key)
        made = self._kept[key]
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return made


def controlled(pipe: Any, row: Row, net: Any) -> Any:
    """The same networks and scheduler as a pipeline that looks at a ControlNet, too."""
    kind = getattr(diffusers, CONTROLLED[row.pipeline])
    taken = set(inspect.signature(kind.__init__).parameters)
    parts = {name: part for name, part in pipe.components.items() if name in taken} | {"controlnet": net}
    settings = {name: pipe.config[name] for name in taken & set(pipe.config) - set(parts)}
    with quiet():
        made = kind(**parts, **settings)
    made.set_progress_bar_config(disable=True)
    return made


@contextlib.contextmanager
def _swapped(pipe: Any, name: str, part: torch.nn.Module) -> Iterator[None]:
    own = getattr(pipe, name)
    setattr(pipe, name, part)
    try:
        yield
    finally:
        setattr(pipe, name, own)


def _nothing(count: int) -> dict[str, Any]:
    return {}


def _both(one: Given, other: Given) -> Given:
    return lambda count: one(count) | other(count)


def _control(row: Row, picture: np.ndarray, weight: float) -> Given:
    shown = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None]

    def given(count: int) -> dict[str, Any]:
        several = shown.repeat(count, 1, 1, 1)
        return {"control_image" if row.image else "image": several, "controlnet_conditioning_scale": weight}

    return given
