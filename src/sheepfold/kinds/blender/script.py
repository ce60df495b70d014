"""The Python that makes a scene render as it was ordered: what our worker, and the wires, run after loading it."""

import json

from sheepfold.kinds.seam import Spec

# For Blender 2.8 and later; `TOLD` stands before it.
_BODY = '''
import bpy


def make_ready(scene):
    render = scene.render
    for engine in {"BLENDER_EEVEE": ("BLENDER_EEVEE_NEXT", "BLENDER_EEVEE")}.get(TOLD["engine"], (TOLD["engine"],)):
        try:
            render.engine = engine
            break
        except TypeError:
            pass
    else:
        raise RuntimeError("Engine '" + TOLD["engine"] + "' not available")
    render.resolution_x, render.resolution_y = TOLD["width"], TOLD["height"]
    render.resolution_percentage = 100
    render.use_border = False
    set_samples(scene)
    set_output(render)


def set_samples(scene):
    samples = TOLD["samples"]
    if TOLD["engine"] == "CYCLES":
        scene.cycles.samples = samples
        scene.cycles.time_limit = 0
    elif TOLD["engine"] == "BLENDER_EEVEE":
        scene.eevee.taa_render_samples = samples
    for layer in scene.view_layers:
        layer.samples = 0


def set_output(render):
    picture = render.image_settings
    if hasattr(picture, "media_type"):
        picture.media_type = "IMAGE"
    picture.file_format = TOLD["format"]
    picture.color_mode = "RGB" if TOLD["format"] == "JPEG" else "RGBA"
    picture.quality = 95
    render.use_file_extension = True
    render.use_overwrite = True
    render.use_placeholder = False
    render.use_multiview = False
    if not render.use_stamp:
        for name in dir(render):
            if name.startswith("use_stamp_"):
                setattr(render, name, False)


def use_device(scene, device):
    if device != "GPU":
        scene.cycles.device = "CPU"
        return
    preferences = bpy.context.preferences.addons["cycles"].preferences
    for kind in ("OPTIX", "CUDA", "HIP", "ONEAPI", "METAL"):
        try:
            preferences.compute_device_type = kind
        except TypeError:
            continue
        getattr(preferences, "refresh_devices", preferences.get_devices)()
        if any(found.type == kind for found in preferences.devices):
            for found in preferences.devices:
                found.use = found.type == kind
            scene.cycles.device = "GPU"
            return
    raise RuntimeError("This machine has no GPU that Cycles can use")


make_ready(bpy.context.scene)
if TOLD["device"] and TOLD["engine"] == "CYCLES":
    use_device(bpy.context.scene, TOLD["device"])
'''
_FORMATS = {"PNG": "PNG", "JPEG": "JPEG", "EXR": "OPEN_EXR"}


def script_of(spec: Spec, device: str = "") -> str:
    """Return the script of an order: engine, samples, size and format are set, whatever the scene says.

    `device` is `CPU` or `GPU`; empty leaves that to the client, whose own lines follow on the old wires. The script
    raises where the engine or a GPU is missing. Dates, paths and host names stay out of the pictures.
    """
    told = {
        "engine": str(spec["engine"]),
        "width": int(spec["width"]),
        "height": int(spec["height"]),
        "samples": int(spec["samples"]),
        "format": _FORMATS[spec["format"]],
        "device": device,
    }
    return f"import json\n\nTOLD = json.loads({json.dumps(told)!a})\n{_BODY}"
