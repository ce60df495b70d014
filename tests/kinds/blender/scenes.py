"""Make the scenes of the tests: `python -I scenes.py FOLDER PORT`, on bpy's own Python; each is a file of a few KB.

`hostile.blend` tries to write FOLDER/owned and to call 127.0.0.1:PORT when it is opened, drawn or rendered.
"""

import importlib
import math
import os
import struct
import sys
from pathlib import Path

bpy = importlib.import_module("bpy")

ATTACK = """
import os, socket
def attack(*_):
    if os.path.exists({marker!r}):
        return 0.0
    try:
        open({marker!r}, "w").close()
    except OSError:
        pass
    try:
        socket.create_connection(("127.0.0.1", {port}), 1).close()
    except OSError:
        pass
    return 0.0
attack()
import bpy
bpy.app.driver_namespace["attack"] = attack
bpy.app.handlers.frame_change_pre.append(attack)
bpy.app.handlers.render_pre.append(attack)
"""


def main(folder: Path, port: int) -> None:
    for make in (moving, busy, falling, lacking, blind, foreign, layered, prying, timeless):
        fresh()
        make(folder)
    fresh()
    hostile(folder, port)


def fresh() -> None:
    """Begin with the factory's scene, a cube before a camera, small and quick to render."""
    bpy.ops.wm.read_factory_settings(use_empty=False)
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 96, 54, 50
    scene.cycles.samples, scene.cycles.use_denoising = 2, False
    scene.frame_start, scene.frame_end, scene.frame_step = 3, 9, 2


def save(folder: Path, name: str, *, compress: bool = False) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / f"{name}.blend"), compress=compress)


def timeless(folder: Path) -> None:
    """Save a scene whose frames per second are no number, which Blender lets nobody write."""
    base = bpy.context.scene.render.fps_base = 1.1234567
    save(folder, "timeless")
    path = folder / "timeless.blend"
    path.write_bytes(path.read_bytes().replace(struct.pack("<f", base), struct.pack("<f", math.nan)))


def moving(folder: Path) -> None:
    cube = bpy.data.objects["Cube"]
    for frame, turn in ((1, 0.0), (10, 2.0)):
        cube.rotation_euler.z = turn
        cube.keyframe_insert("rotation_euler", frame=frame)
    bpy.context.scene.render.fps = 30
    save(folder, "moving", compress=True)


def busy(folder: Path) -> None:
    """Save a scene in which everything changes from frame to frame that an artist may animate, with motion blur."""
    scene, cube = bpy.context.scene, bpy.data.objects["Cube"]
    lamp, camera = bpy.data.objects["Light"], bpy.data.objects["Camera"]
    scene.render.use_motion_blur = True
    cube.shape_key_add(name="rest")
    grown = cube.shape_key_add(name="grown")
    for point in grown.data:
        point.co *= 1.5
    shader = cube.material_slots[0].material.node_tree.nodes["Principled BSDF"]
    other = bpy.data.objects.new("other", cube.data.copy())
    other.modifiers.new("many", "ARRAY")
    other.location.x = 2.5
    scene.collection.objects.link(other)
    for frame in (1, 2, 3, 4, 5):
        grown.value = frame / 5
        grown.keyframe_insert("value", frame=frame)
        shader.inputs["Base Color"].default_value = (frame / 5, 0.3, 1 - frame / 5, 1)
        shader.inputs["Base Color"].keyframe_insert("default_value", frame=frame)
        lamp.data.energy, camera.data.lens, other.hide_render = 300 * frame, 40 + 3 * frame, frame % 2 == 0
        lamp.data.keyframe_insert("energy", frame=frame)
        camera.data.keyframe_insert("lens", frame=frame)
        other.keyframe_insert("hide_render", frame=frame)
        other.modifiers["many"].count = frame
        other.keyframe_insert('modifiers["many"].count', frame=frame)
        ground = scene.world.node_tree.nodes["Background"].inputs["Color"]
        ground.default_value = (0.1 * frame, 0.2, 0.3, 1)
        ground.keyframe_insert("default_value", frame=frame)
    save(folder, "busy")


def falling(folder: Path) -> None:
    """Save a cube of cloth that falls by a simulation that is not baked."""
    bpy.data.objects["Cube"].modifiers.new("falls", "CLOTH")
    save(folder, "falling")


def lacking(folder: Path) -> None:
    """Save a scene with an image that is not there, one that is, and an image nobody uses."""
    material = bpy.data.objects["Cube"].material_slots[0].material
    there = bpy.data.images.new("there", 4, 4)
    there.filepath_raw, there.file_format = str(folder / "there.png"), "PNG"
    there.save()
    save(folder, "lacking")
    for path in ("//textures/wool.png", "//there.png"):
        node = material.node_tree.nodes.new("ShaderNodeTexImage")
        node.image = bpy.data.images.new(path, 4, 4)
        node.image.source, node.image.filepath = "FILE", path
    save(folder, "lacking")


def blind(folder: Path) -> None:
    bpy.data.objects.remove(bpy.data.objects["Camera"])
    save(folder, "blind")


def prying(folder: Path) -> None:
    """Save a scene that shows a picture from outside of its folder, by an absolute path."""
    (folder / "home").mkdir(exist_ok=True)
    secret = bpy.data.images.new("secret", 8, 8)
    secret.generated_color = (1, 0, 0, 1)
    secret.filepath_raw, secret.file_format = str(folder / "home" / "secret.png"), "PNG"
    secret.save()
    secret.source, secret.filepath = "FILE", str(folder / "home" / "secret.png")
    nodes = bpy.data.objects["Cube"].material_slots[0].material.node_tree
    shown = nodes.nodes.new("ShaderNodeTexImage")
    shown.image = secret
    nodes.links.new(shown.outputs["Color"], nodes.nodes["Principled BSDF"].inputs["Base Color"])
    save(folder, "prying")


def foreign(folder: Path) -> None:
    """Save a scene that writes a film and has a driver of Python."""
    scene = bpy.context.scene
    scene.render.image_settings.file_format = "FFMPEG"
    curve = bpy.data.objects["Cube"].driver_add("location", 2)
    curve.driver.type, curve.driver.expression = "SCRIPTED", "__import__('math').sin(frame)"
    save(folder, "foreign")


def layered(folder: Path) -> None:
    """Save a scene that writes OpenEXR of several layers."""
    bpy.context.scene.render.image_settings.file_format = "OPEN_EXR_MULTILAYER"
    save(folder, "layered")


def hostile(folder: Path, port: int) -> None:
    """Save a scene that attacks, and prove that it would where scripts may run."""
    marker = folder / "owned"
    text = bpy.data.texts.new("attack.py")
    text.write(ATTACK.format(marker=str(marker), port=port))
    text.use_module = True
    curve = bpy.data.objects["Cube"].driver_add("location", 0)
    curve.driver.type, curve.driver.expression = "SCRIPTED", "attack()"
    scene = bpy.context.scene
    scene.use_nodes = True
    output = scene.node_tree.nodes.new("CompositorNodeOutputFile")
    output.base_path = str(folder / "stolen")
    scene.node_tree.links.new(scene.node_tree.nodes["Render Layers"].outputs[0], output.inputs[0])
    save(folder, "hostile")
    bpy.ops.wm.open_mainfile(filepath=str(folder / "hostile.blend"), use_scripts=True)
    if not marker.exists():
        sys.exit("the attack does nothing, even where scripts may run")
    marker.unlink()
    os._exit(0)  # before the attack, which lives in this process now, strikes again


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
