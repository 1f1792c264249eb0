"""Slides of carousels: text laid over a picture by our own renderer, always legible and never cut.

``layout_slide`` decides what stands where, ``render_slide`` draws it, ``save_image`` and ``save_pdf`` write files.
Overviews are made by ``stills.contact_sheet``, which takes pictures as well.
"""

from maquette.media.slides.content import SlideContent, SlideKpi, SlideStyle, SlideType
from maquette.media.slides.contrast import measured_contrast
from maquette.media.slides.export import fit_background, open_logo, save_image, save_pdf
from maquette.media.slides.layout import Layout, layout_slide, require_fits
from maquette.media.slides.look import Look, look_of
from maquette.media.slides.render import backdrop, render_slide

__all__ = [
    "Layout", "Look", "SlideContent", "SlideKpi", "SlideStyle", "SlideType", "backdrop", "fit_background",
    "layout_slide", "look_of", "measured_contrast", "open_logo", "render_slide", "require_fits", "save_image",
    "save_pdf",
]  # fmt: skip
