#!/bin/sh
# The renderer of this farm for machines that have a Blender, or bpy, of their own: it runs the first of these, as
# Blender itself would run, since the command line and the log are Blender's in any case.
#
#   1. the Python that SHEEPFOLD_BPY_PYTHON names, or else the file ~/.config/sheepfold/bpy-python, with bpy installed
#   2. the environment that scripts/setup-bpy made last
#   3. sheepfold-blender or blender on the PATH
#   4. a python3 on the PATH that has bpy
#
# Every way ends in exec, so that whoever ends this process ends the renderer.
here=$(cd "$(dirname "$0")" && pwd)

bpy() {
    [ -n "$1" ] && [ -x "$1" ] || return 0
    python=$1
    shift
    exec "$python" -I -B "$here/runner.py" "$@"
}

named=${SHEEPFOLD_BPY_PYTHON:-}
config=${XDG_CONFIG_HOME:-${HOME:-/nonexistent}/.config}/sheepfold/bpy-python
if [ -z "$named" ] && [ -r "$config" ]; then
    IFS= read -r named < "$config"
fi
bpy "$named" "$@"

cache=${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/sheepfold
newest=$(ls -td "$cache"/bpy-*/.ready 2>/dev/null | head -n 1)
if [ -n "$newest" ]; then
    bpy "${newest%/.ready}/bin/python" "$@"
fi

for blender in sheepfold-blender blender; do
    found=$(command -v "$blender") && exec "$found" "$@"
done

found=$(command -v python3) &&
    "$found" -I -c 'import importlib.util, sys; sys.exit(importlib.util.find_spec("bpy") is None)' &&
    bpy "$found" "$@"

echo "There is no Blender here: put blender on the PATH, or name a Python with bpy in $config." >&2
exit 127
