"""Between protobuf messages and our values. Alone in knowing both; standard library and protobuf only.

`*_to_proto` never fails on a valid value; `*_from_proto` raises RequestInvalid (or the value's own error) for a message
that says nothing sensible.
"""

from __future__ import annotations

from dataclasses import asdict

from frisket.edits.requests import (
    DetectFacesParams,
    EditRequest,
    InpaintParams,
    InstructParams,
    MaskDials,
    OutpaintParams,
    Params,
    RestoreFacesParams,
    SelectSubjectParams,
    TextToLayerParams,
    UpscaleParams,
    VariationParams,
)
from frisket.edits.results import Degradation, DegradationKind, Face, Maker, Piece, Plan
from frisket.engines.spec import EngineSpec, Param, ParamKind, Task, Value
from frisket.errors import FrisketError, RequestInvalid, rebuild
from frisket.raster.formats import Codec, Layout, PixelFormat, Samples, Transfer
from frisket.raster.geometry import Box, Size
from frisket.rpc.stubs import edits_pb2, images_pb2, jobs_pb2, models_pb2, studio_pb2

SAMPLES = {
    Samples.U8: images_pb2.SAMPLES_U8,
    Samples.U16: images_pb2.SAMPLES_U16,
    Samples.F16: images_pb2.SAMPLES_F16,
    Samples.F32: images_pb2.SAMPLES_F32,
}
LAYOUTS = {
    Layout.GRAY: images_pb2.LAYOUT_GRAY,
    Layout.GRAY_ALPHA: images_pb2.LAYOUT_GRAY_ALPHA,
    Layout.RGB: images_pb2.LAYOUT_RGB,
    Layout.RGBA: images_pb2.LAYOUT_RGBA,
}
CODECS = {
    Codec.RAW: images_pb2.CODEC_RAW,
    Codec.STRIP_ZSTD: images_pb2.CODEC_STRIP_ZSTD,
    Codec.PNG: images_pb2.CODEC_PNG,
    Codec.ZSTD: images_pb2.CODEC_ZSTD,
}
TASKS = {
    Task.INPAINT: models_pb2.TASK_INPAINT,
    Task.OUTPAINT: models_pb2.TASK_OUTPAINT,
    Task.VARIATION: models_pb2.TASK_VARIATION,
    Task.RESTORE_FACES: models_pb2.TASK_RESTORE_FACES,
    Task.TEXT_TO_LAYER: models_pb2.TASK_TEXT_TO_LAYER,
    Task.INSTRUCT: models_pb2.TASK_INSTRUCT,
    Task.UPSCALE: models_pb2.TASK_UPSCALE,
    Task.SELECT_SUBJECT: models_pb2.TASK_SELECT_SUBJECT,
    Task.DETECT_FACES: models_pb2.TASK_DETECT_FACES,
    Task.PARSE_FACES: models_pb2.TASK_PARSE_FACES,
}
PARAM_KINDS = {
    ParamKind.FLOAT: models_pb2.Param.KIND_FLOAT,
    ParamKind.INT: models_pb2.Param.KIND_INT,
    ParamKind.BOOL: models_pb2.Param.KIND_BOOL,
    ParamKind.CHOICE: models_pb2.Param.KIND_CHOICE,
    ParamKind.TEXT: models_pb2.Param.KIND_TEXT,
}
DEGRADATIONS = {
    DegradationKind.SMALLER_SIZE: edits_pb2.Degradation.KIND_SMALLER_SIZE,
    DegradationKind.TILED: edits_pb2.Degradation.KIND_TILED,
    DegradationKind.OTHER_DEVICE: edits_pb2.Degradation.KIND_OTHER_DEVICE,
    DegradationKind.LESS_CONTEXT: edits_pb2.Degradation.KIND_LESS_CONTEXT,
    DegradationKind.ONE_BY_ONE: edits_pb2.Degradation.KIND_ONE_BY_ONE,
    DegradationKind.OFFLOADED: edits_pb2.Degradation.KIND_OFFLOADED,
    DegradationKind.PROMPT_CUT: edits_pb2.Degradation.KIND_PROMPT_CUT,
}


def _named(table, number: int, what: str):
    """The key of `table` whose value is `number`."""
    for ours, theirs in table.items():
        if theirs == number:
            return ours
    raise RequestInvalid(detail=f"{what} {number} is not known")


# --- images ----------------------------------------------------------------------------------------------------------


def size_to_proto(size: Size) -> images_pb2.Size:
    return images_pb2.Size(width=size.width, height=size.height)


def size_from_proto(message: images_pb2.Size) -> Size:
    return Size(message.width, message.height)


def box_to_proto(box: Box) -> images_pb2.Box:
    return images_pb2.Box(x=box.x, y=box.y, width=box.width, height=box.height)


def box_from_proto(message: images_pb2.Box) -> Box:
    return Box(message.x, message.y, message.width, message.height)


def format_to_proto(fmt: PixelFormat) -> images_pb2.PixelFormat:
    linear = fmt.transfer is Transfer.LINEAR
    transfer = images_pb2.TRANSFER_LINEAR if linear else images_pb2.TRANSFER_PERCEPTUAL
    return images_pb2.PixelFormat(samples=SAMPLES[fmt.samples], layout=LAYOUTS[fmt.layout], transfer=transfer)


def format_from_proto(message: images_pb2.PixelFormat) -> PixelFormat:
    linear = message.transfer == images_pb2.TRANSFER_LINEAR
    return PixelFormat(
        samples=_named(SAMPLES, message.samples, "Samples"),
        layout=_named(LAYOUTS, message.layout, "Layout"),
        transfer=Transfer.LINEAR if linear else Transfer.PERCEPTUAL,
    )


def codec_from_proto(number: int) -> Codec:
    return _named(CODECS, number, "Codec")


def task_from_proto(number: int) -> Task:
    return _named(TASKS, number, "Task")


# --- requests --------------------------------------------------------------------------------------------------------


def value_to_proto(value: Value) -> edits_pb2.Value:
    if isinstance(value, bool):
        return edits_pb2.Value(flag=value)
    if isinstance(value, int):
        return edits_pb2.Value(integer=value)
    if isinstance(value, float):
        return edits_pb2.Value(number=value)
    return edits_pb2.Value(text=value)


def value_from_proto(message: edits_pb2.Value) -> Value:
    kind = message.WhichOneof("kind")
    if kind is None:
        raise RequestInvalid(detail="A parameter of the engine has no value")
    return getattr(message, kind)


def _dials_to_proto(dials: MaskDials) -> edits_pb2.MaskDials:
    return edits_pb2.MaskDials(grow=dials.grow, feather=dials.feather, blend=dials.blend, context=dials.context)


def _dials_from_proto(message: edits_pb2.MaskDials) -> MaskDials:
    names = ("grow", "feather", "blend", "context")
    return MaskDials(**{n: getattr(message, n) if message.HasField(n) else None for n in names})


def request_to_proto(request: EditRequest) -> edits_pb2.EditRequest:
    message = edits_pb2.EditRequest(
        canvas=size_to_proto(request.canvas),
        region=box_to_proto(request.region),
        format=format_to_proto(request.format),
        engine=request.engine,
        model=request.model,
        seed=request.seed,
        count=request.count,
        engine_params={name: value_to_proto(value) for name, value in request.engine_params.items()},
    )
    _put_params(message, request.params)
    return message


def _put_params(message: edits_pb2.EditRequest, p: Params) -> None:
    if isinstance(p, RestoreFacesParams):
        faces = [box_to_proto(face) for face in p.faces]
        own = edits_pb2.RestoreFacesParams(
            strength=p.strength, faces=faces, upscale=p.upscale, detector=p.detector, upscaler=p.upscaler
        )
        message.restore_faces.CopyFrom(own)
    elif isinstance(p, UpscaleParams):
        message.upscale.scale = p.scale
    elif isinstance(p, DetectFacesParams):
        message.detect_faces.SetInParent()
    elif isinstance(p, SelectSubjectParams):
        message.select_subject.SetInParent()
    elif isinstance(p, TextToLayerParams):
        message.text_to_layer.CopyFrom(edits_pb2.TextToLayerParams(prompt=p.prompt, negative_prompt=p.negative_prompt))
    else:
        _put_worded(message, p)


def _put_worded(
    message: edits_pb2.EditRequest, p: InpaintParams | OutpaintParams | InstructParams | VariationParams
) -> None:
    words = {"prompt": p.prompt, "negative_prompt": p.negative_prompt, "dials": _dials_to_proto(p.dials)}
    if isinstance(p, InpaintParams):
        message.inpaint.CopyFrom(
            edits_pb2.InpaintParams(strength=p.strength, move_right=p.move[0], move_down=p.move[1], **words)
        )
    elif isinstance(p, OutpaintParams):
        sides = {"left": p.left, "top": p.top, "right": p.right, "bottom": p.bottom}
        message.outpaint.CopyFrom(edits_pb2.OutpaintParams(transparent=p.transparent, **sides, **words))
    elif isinstance(p, InstructParams):
        message.instruct.CopyFrom(edits_pb2.InstructParams(**words))
    else:
        message.variation.CopyFrom(edits_pb2.VariationParams(strength=p.strength, tileable=p.tileable, **words))


def request_from_proto(message: edits_pb2.EditRequest) -> EditRequest:
    return EditRequest(
        canvas=size_from_proto(message.canvas),
        region=box_from_proto(message.region),
        params=_params_from_proto(message),
        format=format_from_proto(message.format),
        engine=message.engine,
        model=message.model,
        seed=message.seed,
        count=message.count or 1,
        engine_params={name: value_from_proto(value) for name, value in message.engine_params.items()},
    )


def _params_from_proto(message: edits_pb2.EditRequest) -> Params:
    which = message.WhichOneof("task")
    if which == "inpaint":
        p = message.inpaint
        strength = p.strength if p.HasField("strength") else 1.0
        move = (p.move_right, p.move_down)
        return InpaintParams(p.prompt, p.negative_prompt, strength, _dials_from_proto(p.dials), move)
    if which == "outpaint":
        p = message.outpaint
        dials = _dials_from_proto(p.dials)
        return OutpaintParams(p.left, p.top, p.right, p.bottom, p.prompt, p.negative_prompt, dials, p.transparent)
    if which == "variation":
        p = message.variation
        strength = p.strength if p.HasField("strength") else 0.5
        return VariationParams(strength, p.prompt, p.negative_prompt, p.tileable, _dials_from_proto(p.dials))
    if which == "text_to_layer":
        return TextToLayerParams(message.text_to_layer.prompt, message.text_to_layer.negative_prompt)
    if which == "instruct":
        p = message.instruct
        return InstructParams(p.prompt, p.negative_prompt, _dials_from_proto(p.dials))
    if which == "restore_faces":
        p = message.restore_faces
        strength = p.strength if p.HasField("strength") else 0.7
        faces = tuple(box_from_proto(face) for face in p.faces)
        return RestoreFacesParams(strength, faces, p.upscale or 1, p.detector, p.upscaler)
    if which == "upscale":
        return UpscaleParams(message.upscale.scale or 2)
    if which == "detect_faces":
        return DetectFacesParams()
    if which == "select_subject":
        return SelectSubjectParams()
    raise RequestInvalid(detail="The request names no task")


# --- plans, results, engines -----------------------------------------------------------------------------------------


def degradation_to_proto(degraded: Degradation) -> edits_pb2.Degradation:
    return edits_pb2.Degradation(kind=DEGRADATIONS[degraded.kind], detail=degraded.detail)


def degradation_from_proto(message: edits_pb2.Degradation) -> Degradation:
    return Degradation(_named(DEGRADATIONS, message.kind, "Degradation"), message.detail)


def plan_to_proto(plan: Plan) -> studio_pb2.PlanEditResponse:
    return studio_pb2.PlanEditResponse(
        region=box_to_proto(plan.region),
        pieces=[
            edits_pb2.PlannedPiece(crop=box_to_proto(piece.crop), working=size_to_proto(piece.working))
            for piece in plan.pieces
        ],
        degraded=[degradation_to_proto(d) for d in plan.degraded],
        engine=plan.engine,
        seconds=plan.seconds,
    )


def plan_from_proto(message: studio_pb2.PlanEditResponse) -> Plan:
    return Plan(
        region=box_from_proto(message.region),
        pieces=tuple(Piece(box_from_proto(p.crop), size_from_proto(p.working)) for p in message.pieces),
        degraded=tuple(degradation_from_proto(d) for d in message.degraded),
        engine=message.engine,
        seconds=message.seconds if message.HasField("seconds") else None,
    )


def face_to_proto(face: Face) -> jobs_pb2.Face:
    landmarks = [jobs_pb2.Point(x=x, y=y) for x, y in face.landmarks]
    return jobs_pb2.Face(box=box_to_proto(face.box), score=face.score, landmarks=landmarks, trouble=face.trouble)


def face_from_proto(message: jobs_pb2.Face) -> Face:
    landmarks = tuple((point.x, point.y) for point in message.landmarks)
    return Face(box_from_proto(message.box), message.score, landmarks, message.trouble)


def maker_to_proto(maker: Maker) -> jobs_pb2.Maker:
    return jobs_pb2.Maker(**asdict(maker))


def maker_from_proto(message: jobs_pb2.Maker) -> Maker:
    return Maker(message.software, message.engine, message.model, message.revision, message.trained)


def param_to_proto(param: Param) -> models_pb2.Param:
    return models_pb2.Param(
        name=param.name,
        kind=PARAM_KINDS[param.kind],
        default_value=value_to_proto(param.default),
        help=param.help,
        low=param.low,
        high=param.high,
        unit=param.unit,
        choices=param.choices,
        advanced=param.advanced,
    )


def engine_to_proto(spec: EngineSpec) -> models_pb2.Engine:
    rule = spec.size
    return models_pb2.Engine(
        id=spec.id,
        title=spec.title,
        summary=spec.summary,
        tasks=sorted(TASKS[task] for task in spec.tasks),
        size=models_pb2.SizeRule(
            min_side=rule.min_side,
            max_side=rule.max_side,
            multiple=rule.multiple,
            max_pixels=rule.max_pixels,
            native_side=rule.native_side,
        ),
        params=[param_to_proto(p) for p in spec.params],
        models=spec.models,
        devices=spec.devices,
        deterministic=spec.deterministic,
        uses_prompt=spec.uses_prompt,
        uses_negative_prompt=spec.uses_negative_prompt,
        uses_strength=spec.uses_strength,
        uses_tileable=spec.uses_tileable,
        uses_sources=spec.uses_sources,
        licence=spec.licence,
        trained=spec.trained,
    )


# --- errors ----------------------------------------------------------------------------------------------------------


def error_to_proto(error: FrisketError) -> jobs_pb2.Error:
    return jobs_pb2.Error(
        slug=error.slug,
        kind=error.kind.value,
        title=error.title,
        cause=error.cause,
        remedy=error.remedy,
        data=error.data,
    )


def error_from_proto(message: jobs_pb2.Error) -> FrisketError:
    fields = (message.slug, message.kind, message.title, message.cause, message.remedy)
    return rebuild(*fields, data=dict(message.data))
