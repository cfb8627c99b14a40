"""Several results in their group: which one is seen, which one stays, and more of it.

Which one is seen is no undo step of its own: undo is frozen while that changes. So that the picture is the same again
after any undo, whatever was looked at since, each step that adds versions notes which of the old ones were seen.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass

from gi.repository import Gimp

from frisket.edits.requests import EditRequest, from_json
from frisket.errors import FrisketError
from frisket_gimp import layers, parasite


@dataclass(frozen=True)
class Version:
    """One result. request: what it was made from, None when that is not known. engines: ids, the likeliest first.
    remarks: what it had to do without, and notes of its engine. typed: the prompt as it was, None when not known.
    srgb: it came in sRGB, not in the image's own space."""

    layer: Gimp.Layer
    seed: int
    job: str
    request: EditRequest | None
    engines: tuple[str, ...]
    remarks: tuple[str, ...]
    typed: str | None
    srgb: bool = False

    @property
    def prompt(self) -> str:
        return str(getattr(self.request.params, "prompt", "")) if self.request else ""

    @property
    def words(self) -> str:
        """To be shown: a style may have made more of them."""
        return self.prompt if self.typed is None else self.typed


def version_of(layer) -> Version | None:
    """None for a layer that Frisket has not made."""
    kept = layer.get_parasite(parasite.NAME)
    if kept is None:
        return None
    try:
        about = json.loads(bytes(kept.get_data()))
        maker, request = about.get("made_by") or {}, _request(about["request"])
        engines = (request.engine if request else "", maker.get("model", ""), maker.get("engine", ""))
        remarks = tuple(str(text) for text in (*about["degraded"], *about["notes"]))
        origin = about.get("origin") or {}
        from_origin = {"typed": origin.get("words"), "srgb": bool(origin.get("srgb"))}
        engines = tuple(filter(None, engines))
        return Version(layer, int(about["seed"]), str(about["job"]), request, engines, remarks, **from_origin)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _request(text: str) -> EditRequest | None:
    try:
        return from_json(text)
    except FrisketError:  # of a later version, say
        return None


def group_of(layers) -> Gimp.GroupLayer | None:
    """The group of results that is selected, or one of which is."""
    for layer in layers:
        group = layer if layer.is_group() else layer.get_parent()
        if parasite.is_group(group) and Group(group).versions():
            return group
    return None


def join(result, made, name: str) -> None:
    """Put new results beside one that is there, in its group or in a new one of that name, in one undo step; the first
    of them is seen."""
    image = result.get_image()
    image.undo_group_start()
    try:
        chosen = image.get_selected_layers()
        group = result.get_parent()
        if not parasite.is_group(group):
            group = layers.new_group(image, name, group, image.get_item_position(result))
            image.reorder_item(result, group, 0)
            image.set_selected_layers(chosen)
        Group(group).add(made)
    finally:
        image.undo_group_end()


class Group:
    """The results in a layer group. Nothing here holds when `gone`."""

    def __init__(self, group) -> None:
        self.layer = group
        self.image = group.get_image()
        self._known: dict[int, Version | None] = {}  # by layer: what a layer keeps may be megabytes

    @property
    def gone(self) -> bool:
        """Deleted, undone, or its image closed."""
        return not (self.image.is_valid() and self.layer.is_valid() and self.layer.get_image() == self.image)

    def versions(self) -> list[Version]:
        found = []
        for child in self.layer.get_children():
            number = child.get_id()
            if number not in self._known:
                self._known[number] = version_of(child)
            found.append(self._known[number])
        return [version for version in found if version is not None]

    def show(self, layer) -> None:
        """That one, and none of the others."""
        with self._unnoticed():
            self.layer.set_visible(True)
            for version in self.versions():
                version.layer.set_visible(version.layer == layer)

    def hide(self) -> None:
        """All of them: the picture as it was before."""
        with self._unnoticed():
            self.layer.set_visible(False)

    def add(self, layers) -> None:
        """Put layers below the others and show the first of them, in one undo step."""
        old = self.versions()
        with self._step():
            for version in old:
                self._note(version.layer)
                version.layer.set_visible(False)
            for k, layer in enumerate(layers):
                layer.set_visible(k == 0)
                self.image.insert_layer(layer, self.layer, len(self.layer.get_children()))

    def keep(self, layer) -> None:
        """Delete the others, in one undo step; and the group, unless it does something of its own."""
        self.show(layer)
        with self._step():
            others = [version.layer for version in self.versions() if version.layer != layer]
            if len(others) + 1 == len(self.layer.get_children()) and self._plain():
                position = self.image.get_item_position(self.layer)
                self.image.reorder_item(layer, self.layer.get_parent(), position)
                others = [self.layer]
            for other in others:
                self.image.remove_layer(other)

    def _plain(self) -> bool:
        group = self.layer
        usual = group.get_opacity() == 100.0 and group.get_mode() == Gimp.LayerMode.PASS_THROUGH
        return usual and group.get_mask() is None and not group.get_filters()

    @contextlib.contextmanager
    def _unnoticed(self) -> Iterator[None]:
        self.image.undo_freeze()
        try:
            yield
        finally:
            self.image.undo_thaw()
            Gimp.displays_flush()

    @contextlib.contextmanager
    def _step(self) -> Iterator[None]:
        """One undo step; the selected layers stay selected as far as they are still there."""
        chosen = self.image.get_selected_layers()
        self.image.undo_group_start()
        try:
            yield
            left = [layer for layer in chosen if layer.is_valid()]
            if left:
                self.image.set_selected_layers(left)
        finally:
            self.image.undo_group_end()
            Gimp.displays_flush()

    def _note(self, layer) -> None:
        """Undoing the step under way gives this layer the visibility that it has now; redoing, what it had then."""
        seen = layer.get_visible()
        layer.set_visible(not seen)
        layer.set_visible(seen)
