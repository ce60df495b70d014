#!/bin/sh
# The renderer of this farm for Linux machines that have nothing: Blender as a Python module, with the Python and the
# libraries that it wants, all of it beside this file.
here=$(cd "$(dirname "$0")" && pwd)
python=$here/python/bin/python3

# clients since 2020 make nothing executable but this file
[ -x "$python" ] || chmod +x "$python" || exit 126
export LD_LIBRARY_PATH="$here/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
exec "$python" -I -S "$here/runner.py" "$@"
