"""Make the demo's scene, a small fold at dusk: `python -I make_scene.py TARGET.blend`, on bpy's own Python.

Twelve frames at 320x180: sheep of metaballs graze on a hill within a fence, while the sun sets and one of them jumps.
"""

import importlib
import math
import random
import sys
from itertools import pairwise
from typing import Any

FRAMES = 12
WIDTH, HEIGHT = 320, 180
SAMPLES = 12

bpy: Any = importlib.import_module("bpy")


def main(target: str) -> None:
    """Build the scene from nothing and save it."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    chance = random.Random(7)  # noqa: S311 -- the same scene each time
    add_ground()
    add_fence()
    white, black = sheep_shapes("white", (0.78, 0.72, 0.62)), sheep_shapes("black", (0.07, 0.05, 0.045))
    for number, (x, y) in enumerate(((-2.6, 0.4), (2.3, 0.9), (3.4, -1.1), (-4.0, 2.6), (0.4, 3.4))):
        graze(add_sheep((x, y), chance.uniform(0, 6.28), black if number == 1 else white), number, chance)
    jump(add_sheep((0.0, -0.6), 0.35, white))
    add_light()
    add_camera()
    set_render(bpy.context.scene)
    bpy.ops.wm.save_as_mainfile(filepath=target, compress=True)


def height_at(x: float, y: float) -> float:
    """Return the height of the hill, which flattens towards the fold."""
    return 0.35 * math.sin(0.35 * x + 0.6) * math.cos(0.3 * y) + 0.012 * (x * x + y * y) * (0.2 if y < 0 else 0.5)


def paint(name: str, colour: tuple[float, float, float], roughness: float = 0.8) -> Any:  # noqa: ANN401 -- bpy's
    """Return a material of one colour."""
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    shader = material.node_tree.nodes["Principled BSDF"]
    shader.inputs["Base Color"].default_value = (*colour, 1)
    shader.inputs["Roughness"].default_value = roughness
    return material


def add_ground() -> None:
    """Add the meadow: a grid of quads that follows the hill."""
    side, step = 40, 0.75
    places = [((column - side / 2) * step, (row - side / 3) * step) for row in range(side) for column in range(side)]
    corners = [(x, y, height_at(x, y)) for x, y in places]
    faces = [
        (row * side + column, row * side + column + 1, (row + 1) * side + column + 1, (row + 1) * side + column)
        for row in range(side - 1)
        for column in range(side - 1)
    ]
    mesh = bpy.data.meshes.new("meadow")
    mesh.from_pydata(corners, [], faces)
    mesh.polygons.foreach_set("use_smooth", [True] * len(faces))
    mesh.materials.append(paint("grass", (0.09, 0.19, 0.045)))
    link(bpy.data.objects.new("meadow", mesh))


def add_fence() -> None:
    """Add a ring of posts and two rails, open towards the camera."""
    wood = paint("wood", (0.2, 0.11, 0.055))
    angles = [math.radians(-50 + 280 * number / 22) for number in range(23)]
    feet = [(6.2 * math.cos(angle), 1.2 + 4.6 * math.sin(angle)) for angle in angles]
    for x, y in feet:
        add_box(((x, y, height_at(x, y) + 0.5)), (0.09, 0.09, 0.62), 0.0, wood)
    for (x, y), (u, v) in pairwise(feet):
        middle_x, middle_y = (x + u) / 2, (y + v) / 2
        for lift in (0.45, 0.85):
            place = (middle_x, middle_y, height_at(middle_x, middle_y) + lift)
            add_box(place, (math.dist((x, y), (u, v)) / 2 + 0.05, 0.035, 0.06), math.atan2(v - y, u - x), wood)


def add_box(place: tuple[float, float, float], half: tuple[float, float, float], turn: float, material: Any) -> None:  # noqa: ANN401
    """Add a box by its middle and its half sides."""
    corners = [(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]
    faces = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    mesh = bpy.data.meshes.new("box")
    mesh.from_pydata(corners, [], faces)
    mesh.materials.append(material)
    box = bpy.data.objects.new("box", mesh)
    box.location, box.scale, box.rotation_euler = place, half, (0, 0, turn)
    link(box)


def sheep_shapes(name: str, colour: tuple[float, float, float]) -> list[Any]:
    """Return the meshes of a sheep: wool of metaballs, a dark head with ears, four legs."""
    wool, skin = paint(f"{name} wool", colour, 0.95), paint(f"{name} skin", (0.03, 0.025, 0.025), 0.6)
    fleece = [(0.42 * math.cos(a), 0.27 * math.sin(a), 0.66 + 0.12 * math.cos(2 * a)) for a in ring(9)]
    back = [(0, 0, 0.82), (0.2, 0, 0.86), (-0.25, 0, 0.84)]
    head = [(0.66, 0, 0.84, 0.2), (0.78, 0, 0.76, 0.17), (0.86, 0, 0.69, 0.14)]
    ears = [(0.62, side * 0.2, 0.9, 0.1) for side in (-1, 1)]
    legs = [(x, y, z, 0.12) for x in (-0.28, 0.3) for y in (-0.16, 0.16) for z in (0.06, 0.18, 0.3)]
    return [
        melt("wool", [(*ball, 0.36) for ball in fleece + back], wool),
        melt("head", head + ears, skin),
        melt("legs", legs, skin),
    ]


def melt(name: str, balls: list[tuple[float, float, float, float]], material: Any) -> Any:  # noqa: ANN401 -- bpy's
    """Return the mesh of balls (x, y, z, radius) that melt into each other."""
    blob = bpy.data.metaballs.new(name)
    blob.resolution, blob.render_resolution, blob.threshold = 0.12, 0.12, 0.35
    for x, y, z, radius in balls:
        ball = blob.elements.new()
        ball.co, ball.radius = (x, y, z), radius * 1.35
    thing = bpy.data.objects.new(name, blob)
    link(thing)
    mesh = bpy.data.meshes.new_from_object(thing.evaluated_get(bpy.context.evaluated_depsgraph_get()))
    bpy.data.objects.remove(thing)
    mesh.materials.clear()
    mesh.materials.append(material)
    mesh.polygons.foreach_set("use_smooth", [True] * len(mesh.polygons))
    return mesh


def add_sheep(place: tuple[float, float], turn: float, shapes: list[Any]) -> Any:  # noqa: ANN401 -- bpy's
    """Add a sheep and return what carries its parts."""
    body = bpy.data.objects.new("sheep", None)
    body.location = (*place, height_at(*place))
    body.rotation_euler = (0, 0, turn)
    link(body)
    for shape in shapes:
        part = bpy.data.objects.new(shape.name, shape)
        part.parent = body
        link(part)
    return body


def ring(count: int) -> list[float]:
    """Return the angles of so many points on a circle."""
    return [math.tau * number / count for number in range(count)]


def graze(sheep: Any, number: int, chance: random.Random) -> None:  # noqa: ANN401 -- bpy's
    """Let a sheep sway and wander a little over the twelve frames, so that the last leads to the first."""
    x, y, _ = sheep.location
    turn = sheep.rotation_euler.z
    for frame in range(1, FRAMES + 2, 3):
        phase = math.tau * (frame - 1) / FRAMES + number
        sheep.rotation_euler = (0.0, 0.06 * math.sin(phase), turn + 0.12 * math.sin(phase))
        to_x, to_y = x + 0.1 * math.cos(phase), y + 0.06 * chance.uniform(0.8, 1.2) * math.sin(phase)
        sheep.location = (to_x, to_y, height_at(to_x, to_y))
        sheep.keyframe_insert("location", frame=frame)
        sheep.keyframe_insert("rotation_euler", frame=frame)


def jump(sheep: Any) -> None:  # noqa: ANN401 -- bpy's
    """Let a sheep jump once across the fold."""
    for frame in range(1, FRAMES + 2):
        share = (frame - 1) / FRAMES
        x = -1.5 + 3.0 * share
        sheep.location = (x, -0.9, height_at(x, -0.9) + 1.5 * math.sin(math.pi * share) ** 1.2)
        sheep.rotation_euler = (0, -0.55 * math.cos(math.pi * share), 0.12)
        sheep.keyframe_insert("location", frame=frame)
        sheep.keyframe_insert("rotation_euler", frame=frame)


def add_light() -> None:
    """Add a low warm sun that sinks, and a sky from dusk blue to peach."""
    lamp = bpy.data.lights.new("sun", "SUN")
    lamp.energy, lamp.color, lamp.angle = 4.5, (1.0, 0.62, 0.32), math.radians(3)
    sun = bpy.data.objects.new("sun", lamp)
    link(sun)
    for frame, height in ((1, 68), (FRAMES + 1, 75)):
        sun.rotation_euler = (math.radians(height), 0, math.radians(55))
        sun.keyframe_insert("rotation_euler", frame=frame)
    world = bpy.data.worlds.new("dusk")
    bpy.context.scene.world = world
    world.use_nodes = True
    world.cycles.sampling_method, world.cycles.sample_map_resolution = "MANUAL", 64  # a large map takes most of a frame
    nodes, links = world.node_tree.nodes, world.node_tree.links
    direction, axes = nodes.new("ShaderNodeTexCoord"), nodes.new("ShaderNodeSeparateXYZ")
    colours = nodes.new("ShaderNodeValToRGB")
    colours.color_ramp.elements[0].position, colours.color_ramp.elements[0].color = 0.0, (0.95, 0.5, 0.28, 1)
    colours.color_ramp.elements[1].position, colours.color_ramp.elements[1].color = 0.45, (0.12, 0.2, 0.42, 1)
    links.new(direction.outputs["Generated"], axes.inputs[0])
    links.new(axes.outputs["Z"], colours.inputs[0])
    links.new(colours.outputs["Color"], nodes["Background"].inputs["Color"])
    nodes["Background"].inputs["Strength"].default_value = 0.55


def add_camera() -> None:
    """Add a camera that drifts slowly to the side."""
    lens = bpy.data.cameras.new("camera")
    lens.lens = 38
    camera = bpy.data.objects.new("camera", lens)
    link(camera)
    for frame, x in ((1, -0.5), (FRAMES + 1, 0.5)):
        camera.location = (x, -9.4, 2.9)
        camera.rotation_euler = (math.radians(79), 0, math.radians(3 * x))
        camera.keyframe_insert("location", frame=frame)
        camera.keyframe_insert("rotation_euler", frame=frame)
    bpy.context.scene.camera = camera


def set_render(scene: Any) -> None:  # noqa: ANN401 -- bpy's
    """Set what the demo orders: Cycles on the processor, few samples, no denoiser, small pictures."""
    scene.frame_start, scene.frame_end = 1, FRAMES
    render = scene.render
    render.engine, render.fps = "CYCLES", 12
    render.resolution_x, render.resolution_y, render.resolution_percentage = WIDTH, HEIGHT, 100
    scene.cycles.samples, scene.cycles.use_denoising, scene.cycles.max_bounces = SAMPLES, False, 3
    scene.cycles.device = "CPU"
    scene.view_settings.exposure = 0.5


def link(thing: Any) -> None:  # noqa: ANN401 -- bpy's
    """Put an object into the scene."""
    bpy.context.scene.collection.objects.link(thing)


if __name__ == "__main__":
    main(sys.argv[1])
