"""Choosing among several results: a small window with thumbnails, while GIMP goes on."""

from __future__ import annotations

import gi

from frisket.errors import Cancelled, FrisketError, SourceUnsuitable
from frisket_gimp import kept, more, threads
from frisket_gimp.actions import Command
from frisket_gimp.languages import _, words_of
from frisket_gimp.procedure import answered
from frisket_gimp.versions import Group, Version, group_of

gi.require_version("Gtk", "3.0")
gi.require_version("GimpUi", "3.0")
from gi.repository import Gdk, Gimp, GimpUi, GLib, Gtk, Pango  # noqa: E402

SIDE = 144  # px of a thumbnail
A_ROW, ROWS = 4, 2  # of thumbnails; more of them scroll
FRAME = 40  # px that a window manager may add around a window
POLL = 400  # ms between looks whether the group is still there


def run(command: Command, procedure, run_mode, image, drawables, config):
    """GIMP's run function of the menu entry: the window again, for the group that is selected."""

    def work() -> list:
        group = group_of(image.get_selected_layers())
        if group is None:
            what = _("No group of Frisket's versions is selected")
            raise SourceUnsuitable(what=what, suggestion=_("Select one, or a layer in it."))
        if run_mode != Gimp.RunMode.NONINTERACTIVE:
            choose(group, kept.server_address(config.get_property("server") or ""))
        return []

    return answered(procedure, work)


def choose(group, address: str) -> Gimp.Layer | None:
    """Show the window until it is closed or the group is gone. The version that is seen then. address: of the server
    that makes more."""
    return _Window(Group(group), address).run()


class _Window:
    def __init__(self, group: Group, address: str) -> None:
        self._group, self._address = group, address
        self._versions: list[Version] = []
        self._busy = False
        self._grid = 0, 0  # rows, px of each
        self._loop = GLib.MainLoop()
        GimpUi.init("plug-in-frisket")
        self._dialog = GimpUi.Dialog(title=_("Choose a Version"), role="frisket-versions")
        self._before = Gtk.ToggleButton(label=_("_Before / After"), use_underline=True)
        self._before.set_tooltip_text(_("The picture without any of them, and with the one that is chosen (B)"))
        self._pictures = Gtk.FlowBox(homogeneous=True, selection_mode=Gtk.SelectionMode.BROWSE, valign=Gtk.Align.START)
        self._scroll = Gtk.ScrolledWindow(hscrollbar_policy=Gtk.PolicyType.NEVER)
        self._about, self._remarks = (self._label() for _line in range(2))
        self._fill()
        self._connect()
        self._placed = self._dialog.connect("map-event", lambda *_: self._make_way())
        GimpUi.window_set_transient(self._dialog)  # else a click into GIMP's window hides it
        self._dialog.show_all()

    def _make_way(self) -> None:
        """To the bottom of the screen: in the middle it would hide what is to be chosen from."""
        self._dialog.disconnect(self._placed)
        screen = self._dialog.get_display().get_monitor_at_window(self._dialog.get_window()).get_workarea()
        rows, high = self._grid
        height = self._dialog.get_size().height + (ROWS - rows) * high + FRAME  # with the rows that may still come
        self._dialog.move(self._dialog.get_position().root_x, screen.y + screen.height - height)

    def run(self) -> Gimp.Layer | None:
        self._look()
        timer = GLib.timeout_add(POLL, self._look)
        self._loop.run()
        GLib.source_remove(timer)
        shown = None if self._group.gone else self._shown()
        if shown is not None and self._before.get_active():
            self._group.show(shown.layer)
        self._dialog.destroy()
        return shown.layer if shown else None

    def _fill(self) -> None:
        dialog = self._dialog
        dialog.get_action_area().pack_start(self._before, False, False, 0)
        more_ = dialog.add_button(_("_More Like This"), 1)
        more_.set_tooltip_text(_("As many variations of the one that is shown"))
        keep = dialog.add_button(_("_Keep Only This"), 2)
        keep.set_tooltip_text(_("Delete the others"))
        dialog.add_button(_("_Close"), Gtk.ResponseType.CLOSE)
        self._scroll.add(self._pictures)
        area = dialog.get_content_area()
        area.set_border_width(12)
        area.set_spacing(8)
        area.pack_start(self._scroll, True, True, 0)
        area.pack_start(self._about, False, False, 0)
        area.pack_start(self._remarks, False, False, 0)
        self._remarks.set_no_show_all(True)

    def _label(self) -> Gtk.Label:
        """A line that is cut where it is too long; a tooltip has all of it."""
        return Gtk.Label(xalign=0.0, ellipsize=Pango.EllipsizeMode.END)

    def _connect(self) -> None:
        self._pictures.connect("selected-children-changed", lambda _box: self._changed())
        self._before.connect("toggled", lambda _button: self._changed())
        self._dialog.connect("response", lambda _dialog, answer: self._answered(answer))
        self._dialog.connect("delete-event", lambda *_: True)  # the response comes as well
        self._dialog.connect("key-press-event", lambda _dialog, event: self._pressed(event))

    def _look(self) -> bool:
        """Follow the image: versions may have come or gone, or all of them."""
        threads.tidy()
        if self._busy:
            return True
        if self._group.gone:
            self._loop.quit()
            return True
        versions = self._group.versions()
        if [version.layer for version in versions] != [version.layer for version in self._versions]:
            self._versions = versions
            self._draw()
        if not versions:
            self._loop.quit()
        return True

    def _draw(self) -> None:
        """All thumbnails anew; the version that is seen in the image is the chosen one."""
        for child in self._pictures.get_children():
            self._pictures.remove(child)
        high = 1
        for version in self._versions:
            pixbuf = version.layer.get_thumbnail(SIDE, SIDE, Gimp.PixbufTransparency.SMALL_CHECKS)
            high = max(high, pixbuf.get_height())
            picture = Gtk.Image(width_request=SIDE, margin=4)
            picture.set_from_pixbuf(pixbuf)
            picture.set_tooltip_text(_title(version))
            self._pictures.insert(picture, -1)
        columns = min(A_ROW, max(2, len(self._versions)))
        self._pictures.set_min_children_per_line(columns)
        self._pictures.set_max_children_per_line(columns)
        self._grid = rows, high = min(ROWS, -(-len(self._versions) // columns)), high + 16
        self._scroll.set_min_content_height(rows * high)
        self._pictures.show_all()
        seen = next((k for k, version in enumerate(self._versions) if version.layer.get_visible()), 0)
        child = self._pictures.get_child_at_index(seen)
        if child is not None:
            self._pictures.select_child(child)
            child.grab_focus()

    def _shown(self) -> Version | None:
        chosen = self._pictures.get_selected_children()
        return self._versions[chosen[0].get_index()] if chosen and self._versions else None

    def _changed(self) -> None:
        """The image shows what the window says."""
        shown = self._shown()
        if shown is None or self._group.gone:
            return
        if self._before.get_active():
            self._group.hide()
        else:
            self._group.show(shown.layer)
        place = _("{number} of {count}").format(number=self._versions.index(shown) + 1, count=len(self._versions))
        self._say(self._about, f"{place}: {_title(shown)}")
        self._say(self._remarks, " ".join(shown.remarks))

    def _say(self, label: Gtk.Label, text: str) -> None:
        label.set_text(" ".join(text.split()))
        label.set_tooltip_text(text)
        label.set_visible(bool(text))

    def _pressed(self, event) -> bool:
        if event.keyval not in (Gdk.KEY_b, Gdk.KEY_B) or event.state & Gtk.accelerator_get_default_mod_mask():
            return False
        self._before.set_active(not self._before.get_active())
        return True

    def _answered(self, answer: int) -> None:
        if self._busy:
            return
        shown = self._shown()
        if self._group.gone or shown is None or answer not in (1, 2):
            self._loop.quit()
            return
        self._before.set_active(False)
        if answer == 2:
            self._group.keep(shown.layer)
            self._loop.quit()
        else:
            self._more(shown)

    def _more(self, shown: Version) -> None:
        self._busy = True
        self._dialog.set_sensitive(False)
        count = sum(version.job == shown.job for version in self._versions)
        try:
            more.add(self._group, shown, count, self._address)
        except Cancelled:
            pass
        except FrisketError as error:
            Gimp.message("{}\n\n{}\n{}".format(*words_of(error)))
        finally:
            self._busy = False
            self._dialog.set_sensitive(True)
        self._look()
        for child in self._pictures.get_selected_children():
            child.grab_focus()  # the keyboard had left them


def _title(version: Version) -> str:
    """The prompt, if there was one, and the seed."""
    if not version.words:
        return _("seed {seed}").format(seed=version.seed)
    return _("{prompt} (seed {seed})").format(prompt=version.words, seed=version.seed)
