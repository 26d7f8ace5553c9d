"""A picture as bytes: the same drawing gives the same bytes, as SVG or PNG."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PICTURE_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 10.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "trialsim",
    "svg.fonttype": "path",
}


def picture(kind: str, size: tuple[float, float], draw: Callable[[Figure], None]) -> bytes:
    """Return a picture.

    Parameters
    ----------
    kind
        ``svg`` or ``png``.
    size
        Width and height in inches.
    draw
        Draws on the figure.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context(PICTURE_STYLE):
        figure = Figure(figsize=size, layout="constrained", dpi=150)
        draw(figure)
        if kind == "svg":
            return svg(figure).encode()
        target = io.BytesIO()
        FigureCanvasAgg(figure)
        figure.savefig(target, format=kind, metadata={"Software": None})
    return target.getvalue()


def svg(figure: Figure) -> str:
    """Return a figure as SVG without what differs from day to day: what `savefig` writes, which draws everything twice.

    Parameters
    ----------
    figure
        With its own size, resolution and layout.
    """
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    target, canvas = io.StringIO(), cast(Any, FigureCanvasSVG(figure))
    canvas.print_svg(target, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return target.getvalue()
