"""The window of *History*: what the server keeps, with a look at each, and a button that puts it into the image."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import gi

from frisket.edits.requests import from_json
from frisket.errors import FrisketError
from frisket.rpc import convert
from frisket.rpc.stubs import jobs_pb2
from frisket_gimp import history, server, threads
from frisket_gimp.languages import _, plain, words_of
from frisket_gimp.progress import Progress

gi.require_version("Gtk", "3.0")
gi.require_version("GimpUi", "3.0")
from gi.repository import Gimp, GimpUi, GLib, Gtk, Pango  # noqa: E402

INSERT = 1
SIDE = 240  # px of a picture to look at
POLL = 2000  # ms between looks at what is still running
STATES = {
    jobs_pb2.JOB_STATE_QUEUED: "waiting",
    jobs_pb2.JOB_STATE_RUNNING: "running",
    jobs_pb2.JOB_STATE_FINISHED: "",
    jobs_pb2.JOB_STATE_FAILED: "failed",
    jobs_pb2.JOB_STATE_CANCELLED: "cancelled",
}


def show(address: str, image) -> Gimp.Layer | None:
    """Until it is closed. The layer that was put in last. Raises FrisketError when no server can be reached."""
    GimpUi.init("plug-in-frisket")
    progress = Progress(_("History"), interactive=False)
    try:
        session = progress.do(lambda: server.opened(progress, address))
        jobs = progress.do(lambda: history.jobs(session.client))
    finally:
        progress.close()
    return _Window(session, jobs, image).run()


class _Window:
    def __init__(self, session, jobs, image) -> None:
        self._session, self._image = session, image
        self._layer: Gimp.Layer | None = None
        self._jobs: list[jobs_pb2.Job] = []
        self._fetched: dict[str, list] = {}
        self._lock = threading.Lock()  # a session does one thing at a time
        self._gone = False
        self._loop = GLib.MainLoop()
        self._dialog = GimpUi.Dialog(title=_("History"), role="frisket-history")
        self._insert = self._dialog.add_button(_("_Insert"), INSERT)
        self._dialog.add_button(_("_Close"), Gtk.ResponseType.CLOSE)
        self._rows = Gtk.ListStore(str, str, str, str)  # id, when, what, how it stands
        self._list = Gtk.TreeView(model=self._rows, headers_visible=False, enable_search=False)
        self._picture, self._about = Gtk.Image(), Gtk.Label(xalign=0.0, wrap=True, max_width_chars=30, width_chars=30)
        self._lay_out()
        self._list.get_selection().connect("changed", lambda _s: self._chosen())
        self._list.connect("row-activated", lambda *_: self._put_in())
        self._dialog.connect("response", lambda _d, answer: self._answered(answer))
        self._dialog.connect("delete-event", lambda *_: True)  # the response comes as well
        self._refill(jobs)
        GimpUi.window_set_transient(self._dialog)
        self._dialog.show_all()

    def run(self) -> Gimp.Layer | None:
        self._list.grab_focus()
        timer = GLib.timeout_add(POLL, self._look_again)
        self._loop.run()
        GLib.source_remove(timer)
        self._gone = True
        self._session.interrupt()
        self._dialog.destroy()
        return self._layer

    def _lay_out(self) -> None:
        for number in (1, 2, 3):
            cell = Gtk.CellRendererText(ellipsize=Pango.EllipsizeMode.END if number == 2 else Pango.EllipsizeMode.NONE)
            column = Gtk.TreeViewColumn("", cell, text=number)
            column.set_expand(number == 2)
            self._list.append_column(column)
        scroll = Gtk.ScrolledWindow(shadow_type=Gtk.ShadowType.IN, hscrollbar_policy=Gtk.PolicyType.NEVER)
        scroll.set_size_request(430, 330)
        scroll.add(self._list)
        side = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=8)
        self._picture.set_size_request(SIDE, SIDE)
        self._picture.set_valign(Gtk.Align.START)
        side.pack_start(self._picture, False, False, 0)
        side.pack_start(self._about, False, False, 0)
        row = Gtk.Box(spacing=12)
        row.pack_start(scroll, True, True, 0)
        row.pack_start(side, False, False, 0)
        area = self._dialog.get_content_area()
        area.set_border_width(12)
        area.pack_start(row, True, True, 0)

    def _refill(self, jobs) -> None:
        """The list anew, with the same job chosen as before; else the newest."""
        before = self._job()
        self._jobs = list(jobs)
        self._rows.clear()
        for job in self._jobs:
            when = time.strftime("%x %H:%M", time.localtime(job.created))
            many = f" × {job.result_count}" if job.result_count > 1 else ""
            what = f"{plain(_(history.OF_TASK[job.task].label))}{many}"
            state = STATES.get(job.state, "")
            self._rows.append([job.id, when, f"{what}, {job.engine}", _(state) if state else ""])
        if not self._jobs:
            self._about.set_text(_("The server keeps no results of GIMP's."))
        ids = [job.id for job in self._jobs]
        if ids:
            index = ids.index(before.id) if before and before.id in ids else 0
            self._list.get_selection().select_path(Gtk.TreePath.new_from_indices([index]))
        self._chosen()

    def _job(self) -> jobs_pb2.Job | None:
        model, row = self._list.get_selection().get_selected()
        return next((job for job in self._jobs if row and job.id == model[row][0]), None)

    def _chosen(self) -> None:
        job = self._job()
        done = job is not None and job.state == jobs_pb2.JOB_STATE_FINISHED
        self._insert.set_sensitive(done)
        self._picture.clear()
        if job is None:
            return
        if not done:
            error = convert.error_from_proto(job.error) if job.error.title else None
            self._about.set_text("{}\n{}".format(*words_of(error)) if error else "")
        elif job.id in self._fetched:
            self._describe(job)
        else:
            self._about.set_text(_("Fetching the result…"))
            self._off_the_main_thread(lambda: history.fetch(self._session.client, job.id)[1], self._got(job))

    def _got(self, job) -> Callable[[list | FrisketError], None]:
        def got(pictures: list | FrisketError) -> None:
            if isinstance(pictures, FrisketError):
                self._about.set_text("\n".join(words_of(pictures)))
                return
            self._fetched = {job.id: pictures}  # one at a time: they can be large
            now = self._job()
            if now is not None and now.id == job.id:
                self._describe(job)

        return got

    def _describe(self, job) -> None:
        pictures = self._fetched[job.id]
        request = from_json(pictures[0].request_json)
        prompt = str(getattr(request.params, "prompt", ""))
        seed = _("Seed {seed}").format(seed=pictures[0].seed)
        size = _("{size} px, for a canvas of {canvas} px").format(size=pictures[0].box.size, canvas=request.canvas)
        self._about.set_text("\n".join(line for line in (prompt, size, seed) if line))
        self._picture.set_from_pixbuf(history.thumbnail(pictures[0], SIDE))

    def _answered(self, answer: int) -> None:
        if answer == INSERT:
            self._put_in()
        else:
            self._loop.quit()

    def _put_in(self) -> None:
        job = self._job()
        if job is None or job.id not in self._fetched:
            return
        image = self._image if self._image is not None and self._image.is_valid() else None
        try:
            layer, remark = history.bring((job.id, self._fetched[job.id]), image)
        except FrisketError as error:
            self._about.set_text("\n".join(words_of(error)))
            return
        self._layer = layer
        if layer.get_image() != image:
            Gimp.Display.new(layer.get_image())
        self._about.set_text(remark or _("It is in the image now."))

    def _look_again(self) -> bool:
        """Follow what is not finished yet."""
        threads.tidy()
        waiting = (jobs_pb2.JOB_STATE_QUEUED, jobs_pb2.JOB_STATE_RUNNING)
        if any(job.state in waiting for job in self._jobs):
            self._off_the_main_thread(lambda: history.jobs(self._session.client), self._seen)
        return True

    def _seen(self, jobs: list | FrisketError) -> None:
        if isinstance(jobs, list) and [(j.id, j.state) for j in jobs] != [(j.id, j.state) for j in self._jobs]:
            self._refill(jobs)

    def _off_the_main_thread(self, work: Callable[[], list], then: Callable[[list | FrisketError], None]) -> None:
        def answer(found: list | FrisketError) -> bool:
            if not self._gone:
                then(found)
            return False

        def guarded() -> None:
            with self._lock:
                try:
                    found: list | FrisketError = [] if self._gone else work()
                except FrisketError as error:
                    found = error
            GLib.idle_add(answer, found)

        threads.start(guarded)
