"""The families of models that there is code for, and what each can do."""

from __future__ import annotations

import enum
from collections.abc import Mapping


class Family(enum.Enum):
    """How a model is built, and so which code opens it."""

    SD15 = "sd15"
    SD15_INPAINT = "sd15-inpaint"
    SDXL = "sdxl"
    SDXL_INPAINT = "sdxl-inpaint"
    SD3 = "sd3"
    FLUX = "flux"
    FLUX_FILL = "flux-fill"
    FLUX_KONTEXT = "flux-kontext"
    FLUX2_KLEIN = "flux2-klein"
    QWEN_IMAGE = "qwen-image"
    QWEN_IMAGE_EDIT = "qwen-image-edit"
    Z_IMAGE = "z-image"
    KANDINSKY22_PRIOR = "kandinsky22-prior"
    KANDINSKY22 = "kandinsky22"
    KANDINSKY22_INPAINT = "kandinsky22-inpaint"
    STABLE_UNCLIP = "stable-unclip"
    DEEPFLOYD_IF = "deepfloyd-if"
    INSTRUCT_PIX2PIX = "instruct-pix2pix"
    LORA = "lora"
    TEXTUAL_INVERSION = "textual-inversion"
    CONTROLNET = "controlnet"
    IP_ADAPTER = "ip-adapter"
    VAE = "vae"
    TAESD = "taesd"  # a tiny decoder of latent pictures, for previews
    UPSCALER = "upscaler"  # of those that spandrel knows
    GFPGAN = "gfpgan"
    RESTOREFORMER = "restoreformer"
    CODEFORMER = "codeformer"
    RETINAFACE = "retinaface"
    YUNET = "yunet"
    PARSENET = "parsenet"
    TRACER = "tracer"


class Purpose(enum.Enum):
    """What a model can do by itself; an add-on has none."""

    INPAINT = "inpaint"
    OUTPAINT = "outpaint"
    VARIATION = "variation"
    TEXT_TO_LAYER = "text-to-layer"
    INSTRUCT = "instruct"  # edit by instruction, no mask needed
    RESTORE_FACES = "restore-faces"
    UPSCALE = "upscale"
    SELECT_SUBJECT = "select-subject"
    DETECT_FACES = "detect-faces"
    PARSE_FACES = "parse-faces"


_WHOLE = (Purpose.INPAINT, Purpose.OUTPAINT, Purpose.VARIATION, Purpose.TEXT_TO_LAYER)
_FILL = (Purpose.INPAINT, Purpose.OUTPAINT)
_EDIT = (Purpose.INPAINT, Purpose.OUTPAINT, Purpose.INSTRUCT)
PURPOSES: Mapping[Family, tuple[Purpose, ...]] = {
    Family.SD15: _WHOLE,
    Family.SD15_INPAINT: _FILL,
    Family.SDXL: _WHOLE,
    Family.SDXL_INPAINT: _FILL,
    Family.SD3: _WHOLE,
    Family.FLUX: _WHOLE,
    Family.FLUX_FILL: _FILL,
    Family.FLUX_KONTEXT: _EDIT,
    Family.FLUX2_KLEIN: (*_EDIT, Purpose.TEXT_TO_LAYER),
    Family.QWEN_IMAGE: _WHOLE,
    Family.QWEN_IMAGE_EDIT: _EDIT,
    Family.Z_IMAGE: _WHOLE,
    Family.KANDINSKY22: (Purpose.VARIATION, Purpose.TEXT_TO_LAYER),
    Family.KANDINSKY22_INPAINT: _FILL,
    Family.STABLE_UNCLIP: (Purpose.VARIATION,),
    Family.DEEPFLOYD_IF: (Purpose.INPAINT, Purpose.TEXT_TO_LAYER),
    Family.INSTRUCT_PIX2PIX: (Purpose.INSTRUCT,),
    Family.UPSCALER: (Purpose.UPSCALE,),
    Family.GFPGAN: (Purpose.RESTORE_FACES,),
    Family.RESTOREFORMER: (Purpose.RESTORE_FACES,),
    Family.CODEFORMER: (Purpose.RESTORE_FACES,),
    Family.RETINAFACE: (Purpose.DETECT_FACES,),
    Family.YUNET: (Purpose.DETECT_FACES,),
    Family.PARSENET: (Purpose.PARSE_FACES,),
    Family.TRACER: (Purpose.SELECT_SUBJECT,),
}  # a family that is not here does nothing by itself

_WEIGHTS = frozenset({".pth", ".pt", ".safetensors"})
FILES: Mapping[Family, frozenset[str]] = {  # what networks in one file come as; pipelines and add-ons: .safetensors
    Family.UPSCALER: _WEIGHTS,
    Family.GFPGAN: _WEIGHTS,
    Family.RESTOREFORMER: _WEIGHTS,
    Family.CODEFORMER: _WEIGHTS,
    Family.RETINAFACE: _WEIGHTS,
    Family.YUNET: frozenset({".onnx"}),
    Family.PARSENET: _WEIGHTS,
    Family.TRACER: _WEIGHTS,
}
