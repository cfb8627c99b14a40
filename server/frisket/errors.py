"""Every error a user can meet. Standard library only; every room may import this one.

FrisketError
├── bad-request      MaskEmpty MaskMissing MaskSizeDiffers ImageNotFinite ImageFormatUnsupported FileUnreadable
│                    FileUnwritable ParameterUnknown ParameterOutOfRange ParameterNotHonoured
│                    RequestInvalid RegionInvalid NothingToSampleFrom NoFaceFound NoSubjectFound
│                    MoveLeavesNothing
│                    UploadTruncated UploadStalled UploadTooLong UploadCorrupt
│                    LayerUnsuitable CatalogueInvalid ModelFileUnusable ModelFamilyUnknown LicenceNotAccepted
│                    PictureWithheld AddonUnsuitable LinkInvalid SourceUnsuitable
├── unauthenticated  TokenMissing TokenWrong HubGated HubRefused ServerNotTheOne
├── missing          EngineUnknown ModelUnknown JobUnknown NothingFinished ResultUnknown ResultLost PluginPartsMissing
│                    ModelNotListed ModelNotInstalled HubHasNot
├── conflict         RequestIdReused JobNotFinished ServerAlreadyRunning AddressInUse PluginFolderInTheWay
│                    PluginFolderNotWritable PluginNotRegistered JobsUnreadable HomeUnusable CertificateUnusable
│                    AddressInvalid ModelAlreadyThere ModelBusy ModelDamaged ModelsFolderUnusable
│                    SettingsUnwritable ImageChanged
├── too-large        ImageTooLarge PictureTooLarge UploadTooLarge
├── busy             QueueFull TooManyJobs DiskFull NoRoomForModel
├── out-of-memory    OutOfMemory
├── cancelled        Cancelled PullCancelled
├── unavailable      ServerNotRunning ServerUnreachable ServerDraining ConnectionLost ServerDidNotStart VersionMismatch
│                    StoreUnavailable DiffusionPartsMissing NetworkPartsMissing HubOffline HubUnreachable
│                    HubAnswerWrong HubBytesWrong SpeedUnusable
├── unsupported      TaskNotBuilt TaskNotSupported AddressNotAllowed SafetyCheckerMissing ModelInOneFile
└── internal         WorkerCrashed EngineFailed PictureNotFinite InputLost Internal

A class is a slug, a kind, a title, a cause and a remedy. Cause and remedy are templates over `data`; the words are made
here once and shown by every surface (gRPC status, command line, GIMP). `frisket.rpc.status` maps kinds to gRPC status
codes, `frisket.cli.exits` maps them to exit codes.
"""

from __future__ import annotations

import enum
from string import Formatter
from typing import ClassVar


class Kind(enum.Enum):
    """What sort of failure it is. Closed: each surface has one table over it."""

    BAD_REQUEST = "bad-request"
    UNAUTHENTICATED = "unauthenticated"
    MISSING = "missing"
    CONFLICT = "conflict"
    TOO_LARGE = "too-large"
    BUSY = "busy"
    OUT_OF_MEMORY = "out-of-memory"
    CANCELLED = "cancelled"
    UNAVAILABLE = "unavailable"
    UNSUPPORTED = "unsupported"
    INTERNAL = "internal"


LONGEST = 300  # characters of one value in a message


class FrisketError(Exception):
    """Base of all. Build one with exactly the data its templates name: `ImageTooLarge(width=1, height=2, limit=3)`.

    Attributes: `slug` (stable name on the wire), `kind`, `title` (a headline), `cause` (one sentence), `remedy` (what
    to do about it), `data` (the numbers and names in it, as strings). Two errors are equal when slug and data are.
    """

    slug: ClassVar[str] = "internal"
    kind: ClassVar[Kind] = Kind.INTERNAL
    title: ClassVar[str] = "Something went wrong in Frisket"
    cause_template: ClassVar[str] = "{detail}"
    remedy_template: ClassVar[str] = "Try again."
    registry: ClassVar[dict[str, type[FrisketError]]] = {}

    data: dict[str, str]
    cause: str
    remedy: str

    def __init_subclass__(cls) -> None:
        if cls.slug in FrisketError.registry:
            raise TypeError(f"two errors share the slug {cls.slug!r}")
        FrisketError.registry[cls.slug] = cls

    def __init__(self, **data: object) -> None:
        wanted = self.fields()
        if set(data) != wanted:
            raise TypeError(f"{type(self).__name__} takes {sorted(wanted)}, got {sorted(data)}")
        self.data = {k: shortened(str(v)) for k, v in data.items()}
        self.cause = self.cause_template.format(**self.data)
        self.remedy = self.remedy_template.format(**self.data)
        super().__init__(f"{self.title}: {self.cause} {self.remedy}")

    @classmethod
    def fields(cls) -> set[str]:
        """Names of the data that the templates use."""
        text = cls.cause_template + cls.remedy_template
        return {name for _, name, _, _ in Formatter().parse(text) if name}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FrisketError) and (self.slug, self.data) == (other.slug, other.data)

    def __hash__(self) -> int:
        return hash((self.slug, tuple(sorted(self.data.items()))))

    def __reduce__(self):
        return rebuild, (self.slug, self.kind.value, self.title, self.cause, self.remedy, self.data)


class UnknownError(FrisketError):
    """An error of a newer server: its words are kept, its class is not known here."""

    slug = "unknown"

    def __init__(self, slug: str, kind: Kind, title: str, cause: str, remedy: str, data: dict[str, str]) -> None:
        Exception.__init__(self, f"{title}: {cause} {remedy}")
        self.slug, self.kind, self.title = slug, kind, title  # type: ignore[misc]
        self.cause, self.remedy, self.data = cause, remedy, dict(data)


def rebuild(slug: str, kind: str, title: str, cause: str, remedy: str, data: dict[str, str]) -> FrisketError:
    """The error that these wire fields describe: its own class when known here, else `UnknownError` with its words."""
    cls = FrisketError.registry.get(slug)
    if cls is not None and cls is not UnknownError and cls.fields() == set(data):
        return cls(**data)
    known = {k.value: k for k in Kind}
    return UnknownError(slug, known.get(kind, Kind.INTERNAL), title, cause, remedy, data)


def shortened(text: str, limit: int = LONGEST) -> str:
    """At most `limit` characters, the middle left out: what a stranger sent must not flood a message or a trailer."""
    half = limit // 2
    return text if len(text) <= limit else f"{text[:half]} ... {text[-half:]}"


def did_you_mean(wanted: str, have: list[str]) -> str:
    """A short list for a hint: the near misses of `wanted` in `have`, or all of `have`."""
    import difflib

    wanted = shortened(wanted)
    near = difflib.get_close_matches(wanted, have, n=3, cutoff=0.5)
    if near:
        return "Did you mean " + " or ".join(near) + "?"
    return "There is: " + (", ".join(have) or "none") + "."


# --- bad-request -----------------------------------------------------------------------------------------------------


class _BadRequest(FrisketError):
    slug = "bad-request"
    kind = Kind.BAD_REQUEST


class MaskEmpty(_BadRequest):
    slug = "mask-empty"
    title = "Nothing is selected"
    cause_template = "No pixel of the {width} x {height} picture is selected."
    remedy_template = "Select the part to repaint (white in the mask means: change this) and run it again."


class MaskMissing(_BadRequest):
    slug = "mask-missing"
    title = "There is no mask"
    cause_template = "No mask was given, and {path} has no transparency that could serve as one."
    remedy_template = "Pass one with --mask (white means: repaint this)."


class MaskSizeDiffers(_BadRequest):
    slug = "mask-size-differs"
    title = "Mask and picture differ in size"
    cause_template = "The picture is {width} x {height}, the mask {mask_width} x {mask_height}."
    remedy_template = "Send a mask of exactly the picture's size."


class ImageNotFinite(_BadRequest):
    slug = "image-not-finite"
    title = "The picture holds values that are no numbers"
    cause_template = "{count} samples are NaN or infinite."
    remedy_template = "Replace them first, for example by clamping the picture to 0...1."


class ImageFormatUnsupported(_BadRequest):
    slug = "image-format-unsupported"
    title = "This kind of picture is not supported"
    cause_template = "The picture is {found}."
    remedy_template = "Convert it to gray or RGB, with or without alpha, in 8 or 16 bit or float."


class FileUnreadable(_BadRequest):
    slug = "file-unreadable"
    title = "The file cannot be used"
    cause_template = "{path}: {reason}."
    remedy_template = "Check the path, the permissions and that it is a picture (PNG, JPEG, TIFF, WebP)."


class FileUnwritable(_BadRequest):
    slug = "file-unwritable"
    title = "The file cannot be written"
    cause_template = "{path}: {reason}."
    remedy_template = "Name a .png file in a folder that exists: PNG holds everything but floats, .tif those too."


class ParameterUnknown(_BadRequest):
    slug = "parameter-unknown"
    title = "The engine has no such parameter"
    cause_template = "{engine} does not know {name}."
    remedy_template = "{suggestion}"


class ParameterOutOfRange(_BadRequest):
    slug = "parameter-out-of-range"
    title = "A value is out of range"
    cause_template = "{name} is {value}, it must be {wanted}."
    remedy_template = "Choose {name} within that range."


class ParameterNotHonoured(_BadRequest):
    slug = "parameter-not-honoured"
    title = "The engine has no use for this"
    cause_template = "{engine} cannot follow {name}, and drops nothing in silence."
    remedy_template = "Leave {name} out, or take another engine. {suggestion}"


class RequestInvalid(_BadRequest):
    slug = "request-invalid"
    title = "The request makes no sense"
    cause_template = "{detail}."
    remedy_template = "Mend the calling program; protos/frisket/v1 says what each field means."


class RegionInvalid(_BadRequest):
    slug = "region-invalid"
    title = "The region does not fit the picture"
    cause_template = "Region {region} does not fit the canvas of {width} x {height} or the size of the pixels sent."
    remedy_template = "Send the region that PlanEdit answered, or the whole canvas."


class NothingToSampleFrom(_BadRequest):
    slug = "nothing-to-sample-from"
    title = "Nothing is left to copy from"
    cause_template = "The selection leaves {known} known pixels around it; the engine needs at least {needed}."
    remedy_template = "Select less, or widen the context so that more of the picture is seen."


class NoFaceFound(_BadRequest):
    slug = "no-face-found"
    title = "There is no face to restore"
    cause_template = "{detector} found {what}."
    remedy_template = "See what is found with `frisket faces`; select more around the face, or take another detector."


class NoSubjectFound(_BadRequest):
    slug = "no-subject-found"
    title = "There is no subject to select"
    cause_template = "{engine} found nothing in {width} x {height} px that stands out from what is around it."
    remedy_template = "Select the thing roughly first, with some of what is around it, or take another engine."


class MoveLeavesNothing(_BadRequest):
    slug = "move-leaves-nothing"
    title = "The selection would move out of the picture"
    cause_template = "Moved by ({x}, {y}) px nothing of it lies within the region sent."
    remedy_template = "Move it less, or send the region that PlanEdit answers."


class UploadTruncated(_BadRequest):
    slug = "upload-truncated"
    title = "The upload ended too early"
    cause_template = "{received} of {declared} bytes of the {plane} arrived."
    remedy_template = "Send it again; if it happens often, look at the connection."


class UploadStalled(_BadRequest):
    slug = "upload-stalled"
    title = "The upload stopped half-way"
    cause_template = "Nothing more arrived for {seconds} s."
    remedy_template = "Send it again; if it happens often, look at the connection."


class UploadTooLong(_BadRequest):
    slug = "upload-too-long"
    title = "The upload is longer than it said"
    cause_template = "More than the declared {declared} bytes of the {plane} arrived."
    remedy_template = "Mend the calling program: total_bytes must be exact."


class UploadCorrupt(_BadRequest):
    slug = "upload-corrupt"
    title = "The uploaded pixels cannot be decoded"
    cause_template = "The {plane} as {codec}: {reason}."
    remedy_template = "Send it again; if it happens again, mend the calling program."


class LayerUnsuitable(_BadRequest):
    slug = "layer-unsuitable"
    title = "This cannot be filled"
    cause_template = "{what}."
    remedy_template = "{suggestion}"


class SourceUnsuitable(_BadRequest):
    slug = "source-unsuitable"
    title = "This layer or selection does not suit"
    cause_template = "{what}."
    remedy_template = "{suggestion}"


class CatalogueInvalid(_BadRequest):
    slug = "catalogue-invalid"
    title = "A list of models cannot be read"
    cause_template = "{path}: {reason}."
    remedy_template = "Mend that file; docs/models.md shows how one looks."


class ModelFileUnusable(_BadRequest):
    slug = "model-file-unusable"
    title = "This is no model that can be used"
    cause_template = "{path}: {reason}."
    remedy_template = "Get the model again from where it is published; of several formats take safetensors."


class ModelFamilyUnknown(_BadRequest):
    slug = "model-family-unknown"
    title = "What kind of model it is cannot be told"
    cause_template = "{path} looks like none of the families known here."
    remedy_template = "Name its family with --family: {families}."


class LinkInvalid(_BadRequest):
    slug = "link-invalid"
    title = "This line names no server"
    cause_template = "It is neither of the form frisket://TOKEN@HOST:PORT/CERTIFICATE nor host:port."
    remedy_template = "Paste the whole line that `frisket serve` prints, from frisket:// to its end."


class AddonUnsuitable(_BadRequest):
    slug = "addon-unsuitable"
    title = "The add-on does not go with this model"
    cause_template = "{addon} is {what}; what is needed is {wanted}."
    remedy_template = "Leave {addon} out, or take another model; `frisket models list` shows what is installed."


class LicenceNotAccepted(_BadRequest):
    slug = "licence-not-accepted"
    title = "The licence has to be accepted first"
    cause_template = "{model} comes under {licence} ({link}). Commercial use: {commercial}."
    remedy_template = "Read it, then run `frisket models pull {model} --yes`."


# --- unauthenticated -------------------------------------------------------------------------------------------------


class TokenMissing(FrisketError):
    slug = "token-missing"
    kind = Kind.UNAUTHENTICATED
    title = "The server asks for its token"
    cause_template = "None was sent: an address alone holds no token."
    remedy_template = "Paste the line that `frisket serve` prints instead, or put the token into FRISKET_TOKEN."


class TokenWrong(FrisketError):
    slug = "token-wrong"
    kind = Kind.UNAUTHENTICATED
    title = "The server does not accept this token"
    cause_template = "The token that was sent is not the server's own."
    remedy_template = (
        "Paste the line that `frisket serve` prints now. On this machine stop the server and start it again."
    )


class ServerNotTheOne(FrisketError):
    slug = "server-not-the-one"
    kind = Kind.UNAUTHENTICATED
    title = "This is not the server that the line was for"
    cause_template = "What answers at {address} shows another certificate. Nothing was sent to it."
    remedy_template = "Paste the line that `frisket serve` prints now. If it has not changed, somebody stands between."


class HubGated(FrisketError):
    slug = "hub-gated"
    kind = Kind.UNAUTHENTICATED
    title = "The model's makers ask who you are"
    cause_template = "{repository} is gated, and {token}."
    remedy_template = "Accept its terms at {page}, make a token there that may read it, and set HF_TOKEN to it."


class HubRefused(FrisketError):
    slug = "hub-refused"
    kind = Kind.UNAUTHENTICATED
    title = "The hub refuses"
    cause_template = "{endpoint} answered {status} for {what}, and {token}."
    remedy_template = "Check the name of the repository and the token in HF_TOKEN."


# --- missing ---------------------------------------------------------------------------------------------------------


class EngineUnknown(FrisketError):
    slug = "engine-unknown"
    kind = Kind.MISSING
    title = "There is no such engine"
    cause_template = "The server has no engine called {engine}."
    remedy_template = "{suggestion}"


class ModelUnknown(FrisketError):
    slug = "model-unknown"
    kind = Kind.MISSING
    title = "There is no such model"
    cause_template = "The engine {engine} has no model called {model}."
    remedy_template = "{suggestion}"


class NothingFinished(FrisketError):
    slug = "nothing-finished"
    kind = Kind.MISSING
    title = "There is no finished result"
    cause_template = "The server keeps none that an editor asked for; finished ones are kept for a limited time."
    remedy_template = "Wait for the one that runs, if there is one, or run the action again."


class JobUnknown(FrisketError):
    slug = "job-unknown"
    kind = Kind.MISSING
    title = "There is no such job"
    cause_template = "The server knows no job {job}; finished ones are kept for a limited time."
    remedy_template = "List the jobs that are kept with `frisket jobs`."


class ResultUnknown(FrisketError):
    slug = "result-unknown"
    kind = Kind.MISSING
    title = "There is no such result"
    cause_template = "Job {job} has {count} results, number {index} (counted from 0) was asked for."
    remedy_template = "Ask for one of those."


class ResultLost(FrisketError):
    slug = "result-lost"
    kind = Kind.MISSING
    title = "The result is lost"
    cause_template = "Its file {file} is {what}."
    remedy_template = "Run the edit again with the same seed; if it happens again, look at the server's disk."


class PluginPartsMissing(FrisketError):
    slug = "plugin-parts-missing"
    kind = Kind.MISSING
    title = "The plug-in cannot be put together"
    cause_template = "There is no {part} in {folder}."
    remedy_template = "Install Frisket again: `pip install --force-reinstall frisket`."


class ModelNotListed(FrisketError):
    slug = "model-not-listed"
    kind = Kind.MISSING
    title = "No list of models has that one"
    cause_template = "There is no {model} in the catalogue."
    remedy_template = "{suggestion}"


class ModelNotInstalled(FrisketError):
    slug = "model-not-installed"
    kind = Kind.MISSING
    title = "That model is not installed"
    cause_template = "There is no {model} among the installed models."
    remedy_template = "{suggestion}"


class HubHasNot(FrisketError):
    slug = "hub-has-not"
    kind = Kind.MISSING
    title = "The hub does not have it"
    cause_template = "{endpoint} has no {what}."
    remedy_template = "Check repository and revision in the catalogue, or use another endpoint."


# --- conflict --------------------------------------------------------------------------------------------------------


class RequestIdReused(FrisketError):
    slug = "request-id-reused"
    kind = Kind.CONFLICT
    title = "This request id was used for something else"
    cause_template = "Request id {request_id} belongs to job {job}, which asked for another edit."
    remedy_template = "Use a fresh UUID for each new edit."


class JobNotFinished(FrisketError):
    slug = "job-not-finished"
    kind = Kind.CONFLICT
    title = "The job has no result to give"
    cause_template = "Job {job} is {state}."
    remedy_template = "Watch the job until it has finished; a cancelled or failed job has no result."


class ServerAlreadyRunning(FrisketError):
    slug = "server-already-running"
    kind = Kind.CONFLICT
    title = "A server is already running"
    cause_template = "Another server (process {pid}) works in {folder}."
    remedy_template = "Use that one, stop it, or give this one another folder with FRISKET_HOME."


class AddressInUse(FrisketError):
    slug = "address-in-use"
    kind = Kind.CONFLICT
    title = "The address is taken"
    cause_template = "Another program listens on {address}."
    remedy_template = "Choose another with --listen, for example --listen 127.0.0.1:0 for any free port."


class PluginFolderInTheWay(FrisketError):
    slug = "plugin-folder-in-the-way"
    kind = Kind.CONFLICT
    title = "Something else has the plug-in's place"
    cause_template = "{folder} is there and is not Frisket's plug-in."
    remedy_template = "Move it away, or choose another folder with --into."


class PluginFolderNotWritable(FrisketError):
    slug = "plugin-folder-not-writable"
    kind = Kind.CONFLICT
    title = "The plug-in cannot be written"
    cause_template = "{folder}: {reason}."
    remedy_template = "Check the folder's permissions and the free space, or choose another folder with --into."


class PluginNotRegistered(FrisketError):
    slug = "plugin-not-registered"
    kind = Kind.CONFLICT
    title = "GIMP does not take the plug-in"
    cause_template = "{folder} is complete, and {gimp} does not know it. It said: {told}"
    remedy_template = (
        "Start GIMP from a terminal and read what it says of frisket; `frisket plugin install` mends a damaged folder."
    )


class JobsUnreadable(FrisketError):
    slug = "jobs-unreadable"
    kind = Kind.CONFLICT
    title = "The kept jobs cannot be read"
    cause_template = "{path}: {reason}."
    remedy_template = "Update Frisket if a newer one wrote it; else move the file away, a fresh one is made."


class SettingsUnwritable(FrisketError):
    slug = "settings-unwritable"
    kind = Kind.CONFLICT
    title = "The settings cannot be kept"
    cause_template = "{path}: {reason}."
    remedy_template = "Make room on the disk, or see that the folder may be written to; no picture is touched by this."


class HomeUnusable(FrisketError):
    slug = "home-unusable"
    kind = Kind.CONFLICT
    title = "Frisket's folder cannot be used"
    cause_template = "{folder}: {reason}."
    remedy_template = "Mend it, or name another one with FRISKET_HOME or --home."


class CertificateUnusable(FrisketError):
    slug = "certificate-unusable"
    kind = Kind.CONFLICT
    title = "The certificate cannot be used"
    cause_template = "{reason}."
    remedy_template = "Give both --tls-cert and --tls-key: PEM files that belong together."


class AddressInvalid(FrisketError):
    slug = "address-invalid"
    kind = Kind.CONFLICT
    title = "That is no address to listen on"
    cause_template = "{address}: {reason}."
    remedy_template = "Write HOST:PORT (port 0 to 65535, 0 = any free one) or unix:/path."


class ModelAlreadyThere(FrisketError):
    slug = "model-already-there"
    kind = Kind.CONFLICT
    title = "A model of that name is installed"
    cause_template = "{model} lies in {folder}."
    remedy_template = "Give this one another name with --id, or run `frisket models remove {model}` first."


class ModelBusy(FrisketError):
    slug = "model-busy"
    kind = Kind.CONFLICT
    title = "Another process works on that model"
    cause_template = "{model} is being pulled, imported or removed by another process."
    remedy_template = "Wait until it is done, or end it; what has arrived is kept."


class ModelDamaged(FrisketError):
    slug = "model-damaged"
    kind = Kind.CONFLICT
    title = "The model's files are not what they were"
    cause_template = "{model}: {findings}."
    remedy_template = "{suggestion}"


class ModelsFolderUnusable(FrisketError):
    slug = "models-folder-unusable"
    kind = Kind.CONFLICT
    title = "The models' folder cannot be used"
    cause_template = "{folder}: {reason}."
    remedy_template = "Mend it, or name another home with FRISKET_HOME."


# --- too-large -------------------------------------------------------------------------------------------------------


class ImageChanged(FrisketError):
    slug = "image-changed"
    kind = Kind.CONFLICT
    title = "The image has changed meanwhile"
    cause_template = "{what}, so the result has no place in it."
    remedy_template = "Run it again. The result for the image as it was is in History (job {job})."


class ImageTooLarge(FrisketError):
    slug = "image-too-large"
    kind = Kind.TOO_LARGE
    title = "The picture is too large"
    cause_template = "{width} x {height} is {megapixels} MP; this server takes up to {limit} MP and {side} px a side."
    remedy_template = "Send only the region that PlanEdit asks for, or raise --max-megapixels on the server."


class PictureTooLarge(FrisketError):
    slug = "picture-too-large"
    kind = Kind.TOO_LARGE
    title = "The picture file is too large"
    cause_template = "{path} holds more than {limit} megapixels (of 2^20), the most that is read from a file."
    remedy_template = "Cut out the part around what is to change, and work on that."


class UploadTooLarge(FrisketError):
    slug = "upload-too-large"
    kind = Kind.TOO_LARGE
    title = "The upload is too large"
    cause_template = "{declared} bytes of {plane} were announced; at most {limit} fit what the header says."
    remedy_template = "Send a smaller region, or mend the calling program's total_bytes."


# --- busy ------------------------------------------------------------------------------------------------------------


class QueueFull(FrisketError):
    slug = "queue-full"
    kind = Kind.BUSY
    title = "The server has too much waiting"
    cause_template = "{waiting} bytes of pictures wait; this server holds {limit}."
    remedy_template = "Try again when some of it is done."


class TooManyJobs(FrisketError):
    slug = "too-many-jobs"
    kind = Kind.BUSY
    title = "You have too many jobs waiting"
    cause_template = "{waiting} of your jobs wait; this server keeps {limit} for one client."
    remedy_template = "Wait for some, or cancel them with `frisket jobs cancel`."


class DiskFull(FrisketError):
    slug = "disk-full"
    kind = Kind.BUSY
    title = "The server's disk is full"
    cause_template = "{folder} has {free} bytes left, {needed} are needed."
    remedy_template = "Free some space there. Finished jobs go by themselves after a week."


class NoRoomForModel(FrisketError):
    slug = "no-room-for-model"
    kind = Kind.BUSY
    title = "There is no room for the model"
    cause_template = "{model} needs {needed} more, {folder} has {free} left."
    remedy_template = "Free some space there, for example with `frisket models remove`; what has arrived is kept."


# --- out-of-memory, cancelled ----------------------------------------------------------------------------------------


class OutOfMemory(FrisketError):
    slug = "out-of-memory"
    kind = Kind.OUT_OF_MEMORY
    title = "Not enough memory for this edit"
    cause_template = "{engine} ran out of memory at {width} x {height}."
    remedy_template = "Select less, lower the context, or close other programs."


class Cancelled(FrisketError):
    slug = "cancelled"
    kind = Kind.CANCELLED
    title = "Cancelled"
    cause_template = "The edit was cancelled before it finished."
    remedy_template = "Nothing was changed; run it again when you like."


class PullCancelled(FrisketError):
    slug = "pull-cancelled"
    kind = Kind.CANCELLED
    title = "The pull was cancelled"
    cause_template = "Somebody ended the pull of {model}; what has arrived is kept."
    remedy_template = "Pull it again: it goes on where it stopped."


# --- unavailable -----------------------------------------------------------------------------------------------------


class ServerNotRunning(FrisketError):
    slug = "server-not-running"
    kind = Kind.UNAVAILABLE
    title = "No Frisket server is running"
    cause_template = "There is no running server noted in {folder}."
    remedy_template = "Start one with `frisket serve`."


class ServerUnreachable(FrisketError):
    slug = "server-unreachable"
    kind = Kind.UNAVAILABLE
    title = "The server does not answer"
    cause_template = "{address}: {reason}."
    remedy_template = "Check that `frisket serve` runs there and that nothing blocks the port."


class ServerDraining(FrisketError):
    slug = "server-draining"
    kind = Kind.UNAVAILABLE
    title = "The server is shutting down"
    cause_template = "It finishes what runs and takes nothing new."
    remedy_template = "Try again in a few seconds, or start it again with `frisket serve`."


class ConnectionLost(FrisketError):
    slug = "connection-lost"
    kind = Kind.UNAVAILABLE
    title = "The connection to the server broke"
    cause_template = "{reason}."
    remedy_template = (
        "What was sent is kept and done when the server runs; `frisket jobs` lists it, History in GIMP too."
    )


class ServerDidNotStart(FrisketError):
    slug = "server-did-not-start"
    kind = Kind.UNAVAILABLE
    title = "The server did not start"
    cause_template = "`{command}` gave no address within {seconds} s. {detail}"
    remedy_template = "Run `frisket doctor`, or the command itself in a terminal, to see why."


class VersionMismatch(FrisketError):
    slug = "version-mismatch"
    kind = Kind.UNAVAILABLE
    title = "Server and client do not speak the same version"
    cause_template = "The server speaks {server}, this client {client}."
    remedy_template = "{mend}"

    # What `mend` may be: which side is the older, and the command for it.
    CLIENT_OLDER = "The server is newer: run `pip install -U frisket` here, then `frisket plugin install` for GIMP."
    SERVER_OLDER = "The server is older: run `pip install -U frisket` where it runs, then start it again."
    METHOD_MISSING = (
        "Either the server is older: run `pip install -U frisket` where it runs, then start it again. "
        "Or what answers there is not Frisket: check the address."
    )


class StoreUnavailable(FrisketError):
    slug = "store-unavailable"
    kind = Kind.UNAVAILABLE
    title = "The server cannot reach its records"
    cause_template = "{path}: {reason}."
    remedy_template = "Try again in a moment; if it goes on, look at the server's disk and at what else uses that file."


class DiffusionPartsMissing(FrisketError):
    slug = "diffusion-parts-missing"
    kind = Kind.UNAVAILABLE
    title = "The packages that models need are not installed"
    cause_template = "Missing: {parts}."
    remedy_template = 'Run `pip install "frisket[diffusion]"` for the server, then start it again.'


class SpeedUnusable(FrisketError):
    slug = "speed-unusable"
    kind = Kind.UNAVAILABLE
    title = "The server cannot run models as it was told to"
    cause_template = "{what}: {reason}."
    remedy_template = "Install what it names for the server, or start it without `{option}`."


class NetworkPartsMissing(FrisketError):
    slug = "network-parts-missing"
    kind = Kind.UNAVAILABLE
    title = "The packages that this model needs are not installed"
    cause_template = "Missing: {parts}."
    remedy_template = 'Run `pip install "frisket[faces]"` for the server, then start it again.'


class HubOffline(FrisketError):
    slug = "hub-offline"
    kind = Kind.UNAVAILABLE
    title = "Offline: nothing is fetched"
    cause_template = "{what} would have to be fetched, and {setting} says offline."
    remedy_template = "Unset it, or bring the files yourself with `frisket models import`."


class HubUnreachable(FrisketError):
    slug = "hub-unreachable"
    kind = Kind.UNAVAILABLE
    title = "The hub cannot be reached"
    cause_template = "{endpoint}: {reason} ({tries} tries)."
    remedy_template = "Run it again: it goes on where it stopped. HF_ENDPOINT names a mirror."


class HubAnswerWrong(FrisketError):
    slug = "hub-answer-wrong"
    kind = Kind.UNAVAILABLE
    title = "The hub's answer makes no sense"
    cause_template = "{endpoint}, asked for {what}: {reason}."
    remedy_template = "Check that the endpoint is a model hub, and that no proxy or login page answers for it."


class HubBytesWrong(FrisketError):
    slug = "hub-bytes-wrong"
    kind = Kind.UNAVAILABLE
    title = "The hub sent other bytes than promised"
    cause_template = "{path} from {endpoint}: {reason}. Nothing of it was kept."
    remedy_template = "Run it again; if it happens again, use another endpoint."


# --- unsupported -----------------------------------------------------------------------------------------------------


class TaskNotBuilt(FrisketError):
    slug = "task-not-built"
    kind = Kind.UNSUPPORTED
    title = "This server cannot do that yet"
    cause_template = "The task {task} is part of the contract but not of this version."
    remedy_template = "Use a newer server, or another task."


class TaskNotSupported(FrisketError):
    slug = "task-not-supported"
    kind = Kind.UNSUPPORTED
    title = "This engine does not do that"
    cause_template = "{engine} does not do {task}."
    remedy_template = "{suggestion}"
    A_MODEL = "It takes a model: Frisket Server > Models in GIMP or `frisket models list` shows which there are."


class AddressNotAllowed(FrisketError):
    slug = "address-not-allowed"
    kind = Kind.UNSUPPORTED
    title = "The server will not listen there in the clear"
    cause_template = "{address} can be reached from other machines, and no certificate was given."
    remedy_template = (
        'Run `pip install "frisket[remote]"`: the server then makes one itself. Or add --tls-cert and --tls-key.'
    )


# --- internal --------------------------------------------------------------------------------------------------------


class WorkerCrashed(FrisketError):
    slug = "worker-crashed"
    kind = Kind.INTERNAL
    title = "The engine crashed"
    cause_template = "Its process ended {tries} times during this job, last with {ending}."
    remedy_template = "Try a smaller selection; the server's log has the details."


class EngineFailed(FrisketError):
    slug = "engine-failed"
    kind = Kind.INTERNAL
    title = "The engine failed"
    cause_template = "{engine}: {reason}."
    remedy_template = "Try another seed or a smaller selection; the server's log has the details."


class PictureWithheld(_BadRequest):
    slug = "picture-withheld"
    title = "The picture is withheld"
    cause_template = "The safety checker of {engine} does not let the picture of seed {seeds} be shown."
    remedy_template = "Change the words or the selection, or try another seed."


class SafetyCheckerMissing(FrisketError):
    slug = "safety-checker-missing"
    kind = Kind.UNSUPPORTED
    title = "This engine has no safety checker"
    cause_template = "The server was started with --safety-checker, and {engine} has none to look at what it paints."
    remedy_template = "Take another engine, or start the server without that option. {suggestion}"


class ModelInOneFile(FrisketError):
    slug = "model-in-one-file"
    kind = Kind.UNSUPPORTED
    title = "A model of this family is not opened from one file"
    cause_template = "{model} is one file with a {family}; of that family only folders in diffusers' layout are opened."
    remedy_template = "Run `frisket models remove {model}`, then pull or import the model's folder."


class PictureNotFinite(FrisketError):
    slug = "picture-not-finite"
    kind = Kind.INTERNAL
    title = "The model's numbers broke"
    cause_template = "{what} gave values that are no numbers."
    remedy_template = "Check its files with `frisket models verify`; if they are whole, it cannot run on this device."


class InputLost(FrisketError):
    slug = "input-lost"
    kind = Kind.INTERNAL
    title = "The job's pixels are lost"
    cause_template = "The file that the server kept of the {plane} is {what}."
    remedy_template = "Send the edit again; if it happens again, look at the server's disk."


class Internal(FrisketError):
    slug = "internal-error"
    kind = Kind.INTERNAL
    title = "Something unexpected happened in the server"
    cause_template = "Noted in the server's log under {reference}."
    remedy_template = "Report it with that part of the log (`frisket doctor` says where it is)."
