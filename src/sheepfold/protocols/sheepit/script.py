"""The Python that clients give to Blender with a scene: what every worker of the farm runs, and what clients call.

Clients put lines of their own before and after it. Those since 2017-02 call `sheepit_set_compute_device` at the end;
those of the oldest fail in a new Blender, which harms nobody, since Blender goes on after a script that failed.
"""

from collections.abc import Mapping
from typing import Any

from sheepfold.kinds.blender.script import script_of

# It stands first, so that clients find it even where the rest has failed.
_CALLED = '''\
import bpy


def sheepit_set_compute_device(device_type, device, device_id=""):
    """Choose what Cycles renders on: NONE, CUDA, OPTIX…; CPU or GPU; and which card, by the name that Blender has."""
    for scene in bpy.data.scenes:
        if hasattr(scene, "cycles"):
            scene.cycles.device = "GPU" if device == "GPU" else "CPU"
    addon = bpy.context.preferences.addons.get("cycles")
    if addon is None:
        return
    try:
        addon.preferences.compute_device_type = device_type
    except TypeError as error:
        print("There is no " + device_type + " here: " + str(error))
        return
    if device == "GPU":
        addon.preferences.get_devices()
        alike = [one for one in addon.preferences.devices if one.type == device_type]
        chosen = [one for one in alike if one.id == device_id] or alike
        for one in addon.preferences.devices:
            one.use = one in chosen


'''


def write_script(spec: Mapping[str, Any], *, uses_gpu: bool) -> str:
    """Return the script for a blender job's spec; all that the spec holds reaches it as one quoted text."""
    return _CALLED + script_of(spec, "GPU" if uses_gpu else "CPU")
