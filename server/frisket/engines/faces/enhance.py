"""The built-in enhancer of faces: no weights, invents nothing. OpenCV comes with `load` or the first `run`.

Each face goes back to the picture's own pixel grid (`Work.frames` says where that lies), where its damage is measured
and repaired (`repair`); what changed is laid over the aligned face. Without frames, and for faces that are larger in
the picture than in the stack, the stack's grid stands in for it, and a JPEG's blocks are not looked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from frisket.engines.spec import Channels, EngineSpec, Param, ParamKind, Report, Task, Work

if TYPE_CHECKING:
    import numpy as np

SPEC = EngineSpec(
    id="clear-faces",
    title="Built-in face enhancer",
    summary="Takes noise, JPEG blocks and some blur out of faces with classical methods. Needs no model; returns no "
    "eye, tooth or skin that the picture does not show.",
    tasks=frozenset({Task.RESTORE_FACES}),
    channels=Channels.RGB,
    params=(
        Param("denoise", ParamKind.FLOAT, 1.0, "How much noise and blocks to take out; 1 = as measured.", 0.0, 2.0),
        Param("sharpen", ParamKind.FLOAT, 1.0, "How much blur to take back; 1 = as measured.", 0.0, 2.0),
        Param("contrast", ParamKind.FLOAT, 0.0, "Local contrast on top: livelier, less true.", 0.0, 1.0),
    ),
    rank=100,
)
LATTICE = 32  # px: a patch begins where the blocks of a JPEG begin, at half and at a quarter of its size too


class FaceEnhancer:
    """Deterministic; the seed has no part in it."""

    spec = SPEC

    def load(self, model: str) -> None:
        import frisket.engines.faces.repair  # noqa: F401  (imports OpenCV now instead of during the first face)

    def run(self, work: Work, report: Report) -> list[np.ndarray]:
        """One face for each of work.crop (n, s, s, 3), clipped to 0...1."""
        import numpy as np

        faces = []
        for number, face in enumerate(work.crop):
            report.check()
            frame = None if work.frames is None else work.frames[number]
            faces.append(np.clip(_enhanced(np.ascontiguousarray(face, np.float32), frame, work, report), 0, 1))
            report(number + 1, len(work.crop))
        return faces


def _enhanced(face: np.ndarray, frame: np.ndarray | None, work: Work, report: Report) -> np.ndarray:
    from frisket.engines.faces import repair
    from frisket.engines.faces.align import scale_of

    denoise, sharpen, contrast = (float(work.params.get(p.name, p.default)) for p in SPEC.params)
    if frame is None or scale_of(frame) <= 1:
        edge = face.shape[0] // 8
        damage = repair.measured(_luma(face[edge:-edge, edge:-edge]))
        out = repair.repaired(face, damage, denoise, sharpen, report.check)
    else:
        out = face + _change(face, frame, denoise, sharpen, report)
    return repair.livelier(out, contrast) if contrast > 0 else out


def _change(face: np.ndarray, frame: np.ndarray, denoise: float, sharpen: float, report: Report) -> np.ndarray:
    """What the repair of `face` (s, s, 3) on the picture's grid changes, on its own grid again."""
    import cv2
    import numpy as np

    from frisket.engines.faces import align, repair

    side = face.shape[0]
    corners = np.array([(0, 0), (side, 0), (0, side), (side, side)], np.float64)
    found = align.applied(align.inverse(frame), corners)
    x, y = (int(v) // LATTICE * LATTICE for v in np.floor(found.min(axis=0)))
    width, height = (int(v) for v in np.ceil(found.max(axis=0)) - (x, y))
    here = align.shifted(np.asarray(frame, np.float64), x, y)
    how = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    patch = cv2.warpAffine(face, here, (width, height), flags=how, borderMode=cv2.BORDER_REFLECT_101)
    patch = np.asarray(patch, np.float32)
    damage = repair.measured(_luma(_inside(patch, here, side)))
    change = repair.repaired(patch, damage, denoise, sharpen, report.check) - patch
    return cv2.warpAffine(change, here, (side, side), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def _inside(patch: np.ndarray, frame: np.ndarray, side: int) -> np.ndarray:
    """The upright square within the turned face: around it the patch mirrors, and a mirror has no lattice."""
    import numpy as np

    from frisket.engines.faces import align

    reach = side / 2 / float(np.abs(frame[0, :2]).sum()) * 0.98
    x, y = align.inverse(frame) @ (side / 2, side / 2, 1)
    step = LATTICE // 2
    left, top = (max(0, -(-int(np.ceil(v - reach)) // step) * step) for v in (x, y))
    cut = patch[top : max(0, int(y + reach)), left : max(0, int(x + reach))]
    return cut if min(cut.shape[:2]) >= step else patch


def _luma(rgb: np.ndarray) -> np.ndarray:
    import cv2
    import numpy as np

    return cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2GRAY)


ENGINE = FaceEnhancer()
