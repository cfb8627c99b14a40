"""The models of a server: what is on its disk, what could be, and bringing one there."""

from __future__ import annotations

from collections.abc import Callable

import gi

from frisket.client.models import Models
from frisket.engines.spec import Task
from frisket.errors import FrisketError, PullCancelled
from frisket.rpc import convert
from frisket.rpc.stubs import models_pb2
from frisket_gimp import server
from frisket_gimp.actions import ACTIONS
from frisket_gimp.aside import Aside, in_words
from frisket_gimp.languages import _, plain

gi.require_version("Gtk", "3.0")
from gi.repository import GLib, Gtk, Pango  # noqa: E402

Model = models_pb2.Model
COLUMNS = 1, 2, 3  # of the list: title, size, state


class ModelsPage:
    """`widget` is for a window. address: of the server that is meant at the moment."""

    def __init__(self, address: Callable[[], str]) -> None:
        self._address, self._aside = address, Aside()
        self._models: dict[str, Model] = {}
        self._followed: set[str] = set()  # pulls whose progress is shown
        self._rows = Gtk.ListStore(str, str, str, str)  # id, and the columns
        self._list = Gtk.TreeView(model=self._rows, headers_visible=False, search_column=1)
        self._about = Gtk.Label(xalign=0.0, yalign=0.0, wrap=True, max_width_chars=70, width_chars=70, selectable=True)
        self._bar = Gtk.ProgressBar(show_text=True)
        self._buttons = {
            "pull": Gtk.Button(label=_("_Download"), use_underline=True),
            "cancel": Gtk.Button(label=_("C_ancel Download"), use_underline=True),
            "verify": Gtk.Button(label=_("C_heck"), use_underline=True),
            "remove": Gtk.Button(label=_("_Remove"), use_underline=True),
        }
        self.widget = self._lay_out()
        self._list.get_selection().connect("changed", lambda _selection: self._chosen())

    def leave(self) -> None:
        """A pull goes on; nobody looks any more."""
        self._aside.leave()

    def forget(self) -> None:
        """Another server is meant now."""
        self._models = {}
        self._rows.clear()

    def refresh(self) -> None:
        """Ask the server anew."""
        GLib.idle_add(self._list.grab_focus)  # after the tab, which takes it
        self._ask(lambda models: list(models.catalogue().models), self._fill)

    def _lay_out(self) -> Gtk.Widget:
        for number in COLUMNS:
            end = Pango.EllipsizeMode.END if number == 1 else Pango.EllipsizeMode.NONE
            column = Gtk.TreeViewColumn("", Gtk.CellRendererText(ellipsize=end), text=number)
            column.set_expand(number == 1)
            self._list.append_column(column)
        scroll = Gtk.ScrolledWindow(shadow_type=Gtk.ShadowType.IN, hscrollbar_policy=Gtk.PolicyType.NEVER)
        scroll.set_size_request(620, 260)
        scroll.add(self._list)
        row = Gtk.ButtonBox(layout_style=Gtk.ButtonBoxStyle.START, spacing=8)
        for name, button in self._buttons.items():
            button.connect("clicked", self._pressed, name)
            button.set_sensitive(False)
            row.add(button)
        page = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=8, border_width=12)
        page.pack_start(scroll, True, True, 0)
        for widget in (self._about, self._bar, row):
            page.pack_start(widget, False, False, 0)
        self._bar.set_no_show_all(True)
        return page

    def _ask(self, work: Callable[[Models], object], then: Callable) -> None:
        """Work with the server's models off the main thread; what goes wrong is told here."""
        address = self._address()

        def guarded():
            session = server.reached(address)
            try:
                return work(Models(session.client.transport))
            finally:
                session.close()

        def answer(found) -> None:
            if isinstance(found, PullCancelled):
                self.refresh()
            elif isinstance(found, FrisketError):
                self._enable()
                self._about.set_text(in_words(found))
            else:
                then(found)

        self._aside.do(guarded, answer)

    def _fill(self, models: list[Model]) -> None:
        chosen = self._model()
        self._models = {model.id: model for model in models}
        self._rows.clear()
        for model in models:
            size = in_bytes(model.size) if model.size else ""
            self._rows.append([model.id, model.title or model.id, size, _state(model)])
        ids = list(self._models)
        if ids:
            index = ids.index(chosen.id) if chosen and chosen.id in ids else 0
            path = Gtk.TreePath.new_from_indices([index])
            self._list.get_selection().select_path(path)
            self._list.scroll_to_cell(path, None, False, 0.0, 0.0)
        for model in models:
            if model.pulling:
                self._follow(model.id, accept=False)
        self._chosen()

    def _model(self) -> Model | None:
        rows, row = self._list.get_selection().get_selected()
        return self._models.get(rows[row][0]) if row else None

    def _chosen(self) -> None:
        model = self._model()
        self._enable()
        if model:
            lines = (model.id, _uses(model), _terms(model), model.repository)
            self._about.set_text("\n".join(line for line in lines if line))

    def _enable(self) -> None:
        """What can be done with the chosen one as it is."""
        model = self._model()
        state = model.state if model else None
        here = state in (Model.STATE_INSTALLED, Model.STATE_DAMAGED)
        pulling = model is not None and (model.pulling or model.id in self._followed)
        self._buttons["pull"].set_sensitive(bool(model and model.listed and not here and not pulling))
        self._buttons["cancel"].set_sensitive(pulling)
        self._buttons["verify"].set_sensitive(state == Model.STATE_INSTALLED and not pulling)
        self._buttons["remove"].set_sensitive(here and not pulling)
        self._bar.set_visible(pulling)

    def _pressed(self, _button, name: str) -> None:
        {"pull": self._pull, "cancel": self._cancel, "verify": self._verify, "remove": self._remove}[name]()

    def _pull(self) -> None:
        model = self._model()
        if model and (not model.licence.needs_accepting or self._agrees(model)):
            self._follow(model.id, accept=model.licence.needs_accepting)

    def _follow(self, name: str, accept: bool) -> None:
        """Have it fetched, or follow the pull that runs."""
        if name in self._followed:
            return
        self._followed.add(name)
        for row in self._rows:
            if row[0] == name:
                row[COLUMNS[-1]] = _("on its way")

        def work(models: Models) -> str:
            try:
                for event in models.pull(name, accept):
                    if self._aside.gone:
                        break  # it goes on without us
                    self._aside.tell(lambda told: self._progress(name, told), event)
            finally:
                self._followed.discard(name)
            return name

        self._ask(work, lambda _name: self.refresh())
        self._chosen()

    def _progress(self, name: str, event: models_pb2.ModelEvent) -> None:
        model = self._model()
        if model is None or model.id != name:
            return
        self._bar.show()
        if event.WhichOneof("what") != "progress":
            self._bar.set_text(_("Waiting for others"))
            return
        told = event.progress
        self._bar.set_fraction(min(1.0, told.done / told.total) if told.total else 0.0)
        text = _("{done} of {total}").format(done=in_bytes(told.done), total=in_bytes(told.total))
        if told.bytes_per_second > 0:
            left = (told.total - told.done) / told.bytes_per_second
            text += ", " + _("about {minutes} min left").format(minutes=max(1, round(left / 60)))
        self._bar.set_text(text)

    def _cancel(self) -> None:
        model = self._model()
        if model:
            self._ask(lambda models: models.cancel_pull(model.id), lambda _stopped: self.refresh())

    def _verify(self) -> None:
        model = self._model()
        if model:
            self._about.set_text(_("Reading every byte of it…"))
            whole = _("{name} is whole.").format(name=model.id)
            self._ask(lambda models: list(models.verify(model.id)), lambda _events: self._about.set_text(whole))

    def _remove(self) -> None:
        model = self._model()
        if model and self._asked(_("Delete {name} from the server's disk?").format(name=model.title or model.id)):
            self._ask(lambda models: models.remove(model.id), lambda _freed: self.refresh())

    def _agrees(self, model: Model) -> bool:
        question = _(
            "{name} comes under terms of its own:\n{terms}\n{link}\n\nHave you read them, and do you accept them?"
        )
        terms = {"name": model.title, "terms": _terms(model), "link": model.licence.link}
        return self._asked(question.format(**terms))

    def _asked(self, question: str) -> bool:
        dialog = Gtk.MessageDialog(
            transient_for=self.widget.get_toplevel(),
            modal=True,
            message_type=Gtk.MessageType.QUESTION,
            buttons=Gtk.ButtonsType.YES_NO,
            text=question,
        )
        answer = dialog.run()
        dialog.destroy()
        return answer == Gtk.ResponseType.YES


def _state(model: Model) -> str:
    if model.pulling:
        return _("on its way")
    return {
        Model.STATE_INSTALLED: _("installed"),
        Model.STATE_AVAILABLE: _("can be had"),
        Model.STATE_DAMAGED: _("damaged"),
    }.get(model.state, "")


def _uses(model: Model) -> str:
    """The actions that it is for; nothing for an add-on."""
    tasks = {convert.TASKS[Task(action.task)]: action.label for action in reversed(ACTIONS)}
    labels = (plain(_(tasks[task])) for task in model.tasks if task in tasks)
    return ", ".join(labels)


def _terms(model: Model) -> str:
    """Of its licence, in a line."""
    licence = models_pb2.Licence
    business = {
        licence.COMMERCIAL_YES: _("may be used in business"),
        licence.COMMERCIAL_NO: _("not for business"),
        licence.COMMERCIAL_TERMS: _("in business on terms"),
        licence.COMMERCIAL_UNKNOWN: _("business use not known"),
    }.get(model.licence.commercial, "")
    parts = [model.licence.name, business, _("the hub asks for an account") if model.licence.gated else ""]
    return ", ".join(part for part in parts if part)


def in_bytes(size: int) -> str:
    """1 500 000 000 -> "1.5 GB"."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{max(1, round(size / 1e6))} MB"
