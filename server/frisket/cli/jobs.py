"""`frisket jobs`."""

from __future__ import annotations

import time
from pathlib import Path

import click

from frisket.cli.connect import client_of, running, server_option
from frisket.cli.made_by import keep_prompt_option
from frisket.cli.speak import answer, json_option, spoken
from frisket.rpc.convert import error_from_proto
from frisket.rpc.stubs import jobs_pb2

WORDS = {
    jobs_pb2.JOB_STATE_QUEUED: "queued",
    jobs_pb2.JOB_STATE_RUNNING: "running",
    jobs_pb2.JOB_STATE_FINISHED: "finished",
    jobs_pb2.JOB_STATE_FAILED: "failed",
    jobs_pb2.JOB_STATE_CANCELLED: "cancelled",
}


def _fields(job: jobs_pb2.Job) -> dict[str, object]:
    fields: dict[str, object] = {
        "id": job.id,
        "state": WORDS[job.state],
        "task": job.task,
        "engine": job.engine,
        "client": job.client,
        "created": job.created,
        "started": job.started,
        "ended": job.ended,
        "results": job.result_count,
        "tries": job.tries,
        "queue_position": job.queue_position,
    }
    if job.HasField("error"):
        fields["error"] = job.error.slug
    return fields


def _line(job: jobs_pb2.Job) -> str:
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(job.created))
    took = f"{job.ended - job.started:6.1f} s" if job.ended and job.started else " " * 8
    tail = job.error.title if job.HasField("error") else f"{job.result_count} result(s)" if job.result_count else ""
    return f"{job.id}  {when}  {WORDS[job.state]:9}  {took}  {job.task} by {job.engine}  {tail}".rstrip()


@click.group(invoke_without_command=True)
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many, newest first.")
@server_option
@json_option
@click.pass_context
@spoken
def jobs(context: click.Context, limit: int, server: str | None, as_json: bool) -> None:
    """List the server's jobs, newest first; watch, fetch or cancel one.

    \b
    Example:
      frisket jobs
      frisket jobs result 3f2a... -o out.png
    """
    if context.invoked_subcommand is not None:
        return
    with client_of(running(server)) as client:
        found = client.jobs(limit=limit)
    lines = [_line(job) for job in found] or ["No jobs."]
    answer(as_json, {"jobs": [_fields(job) for job in found]}, "\n".join(lines))


@jobs.command()
@click.argument("job")
@server_option
@json_option
@spoken
def cancel(job: str, server: str | None, as_json: bool) -> None:
    """Cancel JOB. A finished one stays as it is.

    \b
    Example:
      frisket jobs cancel 3f2a...
    """
    with client_of(running(server)) as client:
        found = client.cancel(job)
    ends = " (it ends at its next step)" if found.state == jobs_pb2.JOB_STATE_RUNNING else ""
    answer(as_json, _fields(found), _line(found) + ends)


@jobs.command()
@click.argument("job")
@server_option
@json_option
@spoken
def watch(job: str, server: str | None, as_json: bool) -> None:
    """Follow JOB to its end.

    \b
    Example:
      frisket jobs watch 3f2a...
    """
    from frisket.cli.edit_files import wait

    with client_of(running(server)) as client:
        try:
            wait(client, job, show=not as_json)
        except KeyboardInterrupt:
            answer(as_json, {"id": job, "state": "left"}, f"Stopped watching; {job} goes on (`frisket jobs cancel`).")
            return
    answer(as_json, {"id": job, "state": "finished"}, f"{job} finished")


@jobs.command()
@click.argument("job")
@click.option("--index", default=0, show_default=True, help="Which of its pictures, from 0.")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="A picture file to write.")
@keep_prompt_option
@server_option
@json_option
@spoken
def result(job: str, index: int, output: Path, keep_prompt: bool, server: str | None, as_json: bool) -> None:
    """Fetch a finished picture of JOB: the new pixels alone, transparent where nothing changed.

    \b
    Example:
      frisket jobs result 3f2a... -o fill.png
    """
    from frisket.cli.edit_files import write_result

    with client_of(running(server)) as client:
        found = client.result(job, index)
    write_result(found, output, keep_prompt)
    fields = {"id": job, "output": str(output), "box": [found.box.x, found.box.y, found.box.width, found.box.height]}
    answer(as_json, fields, f"{output}  ({found.box} of the canvas)")


@jobs.command()
@click.argument("job")
@server_option
@json_option
@spoken
def show(job: str, server: str | None, as_json: bool) -> None:
    """Show one job, and why it failed if it did.

    \b
    Example:
      frisket jobs show 3f2a...
    """
    from frisket.errors import JobUnknown

    with client_of(running(server)) as client:
        found = next((j for j in client.jobs(limit=1000) if j.id == job), None)
    if found is None:
        raise JobUnknown(job=job)
    text = _line(found)
    if found.HasField("error"):
        error = error_from_proto(found.error)
        text += f"\n  {error.title}\n  {error.cause}\n  {error.remedy}"
    answer(as_json, _fields(found), text)
