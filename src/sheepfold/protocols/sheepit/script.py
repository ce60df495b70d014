"""The Python that clients give to Blender with a scene: it makes the scene render what was ordered.

Clients put lines of their own before and after it, so it must stand in between: it begins and ends without indentation
and defines `sheepit_set_compute_device`, which clients since 2017-02 call. Lines of the oldest clients fail in a new
Blender, which harms nobody, since Blender goes on after a script that failed.
"""

import json
from collections.abc import Mapping
from typing import Any

_ENGINES = {
    "CYCLES": ["CYCLES"],
    # called so in 2.80 to 4.1 and again from 5.0; 4.2 to 4.5 know it by the longer word
    "BLENDER_EEVEE": ["BLENDER_EEVEE_NEXT", "BLENDER_EEVEE"],
    "BLENDER_WORKBENCH": ["BLENDER_WORKBENCH"],
}
_FORMATS = {"PNG": ["PNG", "RGBA"], "JPEG": ["JPEG", "RGB"], "EXR": ["OPEN_EXR", "RGBA"]}

_SCRIPT = '''\
import bpy
import json

ORDER = json.loads(%(order)s)


def sheepit_put(owner, name, value):
    """Set a property, where this Blender knows it; returns whether it did."""
    try:
        setattr(owner, name, value)
    except (AttributeError, TypeError, ValueError) as error:
        print("sheepfold: %%s stays as it is: %%s" %% (name, error))
        return False
    return True


def sheepit_preferences():
    """Return Cycles' own preferences, None where this Blender has none."""
    preferences = getattr(bpy.context, "preferences", None) or getattr(bpy.context, "user_preferences", None)
    addon = preferences.addons.get("cycles") if preferences else None
    return addon.preferences if addon else None


def sheepit_set_compute_device(device_type, device, device_id=""):
    """Choose what Cycles renders on; clients call this with what their owner chose."""
    for scene in bpy.data.scenes:
        if hasattr(scene, "cycles"):
            sheepit_put(scene.cycles, "device", "GPU" if device == "GPU" else "CPU")
    preferences = sheepit_preferences()
    if preferences is None or not sheepit_put(preferences, "compute_device_type", device_type):
        return
    if device != "GPU":
        return
    if hasattr(preferences, "get_devices"):
        preferences.get_devices()
    alike = [one for one in preferences.devices if one.type == device_type]
    named = [one for one in alike if device_id and getattr(one, "id", "") == device_id]
    for one in preferences.devices:
        one.use = one in (named or alike)


def sheepit_prepare(scene):
    """Make a scene render what was ordered: engine, samples, size, and a picture instead of a film."""
    render = scene.render
    for engine in ORDER["engines"]:
        if sheepit_put(render, "engine", engine):
            break
    render.resolution_x, render.resolution_y = ORDER["size"]
    render.resolution_percentage = 100
    render.use_border = False
    render.use_file_extension = True
    render.use_overwrite = True
    render.use_placeholder = False
    settings = render.image_settings
    if hasattr(settings, "media_type"):
        sheepit_put(settings, "media_type", "IMAGE")
    sheepit_put(settings, "file_format", ORDER["format"][0])
    sheepit_put(settings, "color_mode", ORDER["format"][1])
    if hasattr(scene, "cycles"):
        sheepit_put(scene.cycles, "samples", ORDER["samples"])
    if hasattr(scene, "eevee"):
        sheepit_put(scene.eevee, "taa_render_samples", ORDER["samples"])


sheepit_prepare(bpy.context.scene)
for sheepit_scene in bpy.data.scenes:
    if hasattr(sheepit_scene, "cycles"):
        sheepit_put(sheepit_scene.cycles, "device", ORDER["device"])
'''


def write_script(spec: Mapping[str, Any], *, uses_gpu: bool) -> str:
    """Return the script for a blender job's spec; all that the spec holds reaches it as one quoted text."""
    order = {
        "engines": _ENGINES[spec["engine"]],
        "size": [spec["width"], spec["height"]],
        "samples": spec["samples"],
        "format": _FORMATS[spec["format"]],
        "device": "GPU" if uses_gpu else "CPU",
    }
    return _SCRIPT % {"order": repr(json.dumps(order, sort_keys=True))}
