"""An upload of 50 MB is read without memory; measured in a process of its own."""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

UPLOAD_MIB = 50
CHILD = '''
import asyncio, base64, json, resource, sys
from pathlib import Path
from starlette.requests import Request
from sheepfold.config import Settings
from sheepfold.farm.farm import open_farm
from sheepfold.protocols.browsershots import endpoints
from sheepfold.protocols.browsershots.wire import read_response

LINE = base64.b64encode(bytes(range(57))) + b"\\n"
BLOCK = LINE * 800
HEAD = (b"<?xml version='1.0'?>\\n<methodCall>\\n<methodName>screenshots.upload</methodName>\\n<params>\\n"
        b"<param><value><string>nemo</string></value></param><param><value><string>x</string></value></param>"
        b"<param><value><int>1</int></value></param><param><value><base64>\\n")
TAIL = b"</base64></value></param></params></methodCall>"
blocks = int(sys.argv[2]) * 2**20 // (57 * 800)

async def main(farm, count):
    pieces = iter([HEAD, *[BLOCK] * count, TAIL])
    async def receive():
        piece = next(pieces, None)
        return {"type": "http.request", "body": piece or b"", "more_body": piece is not None}
    scope = {"type": "http", "method": "POST", "path": "/xmlrpc/", "headers": [], "client": ("127.0.0.1", 1),
             "query_string": b""}
    return await endpoints._call(farm, Request(scope, receive))

with open_farm(Settings(Path(sys.argv[1])), lambda key, name: []) as farm:
    asyncio.run(main(farm, 20))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answer = asyncio.run(main(farm, blocks))
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    left = len(list(farm.spool_folder.glob("spool-*")))
print(json.dumps({"grown_kib": after - before, "answer": answer.body.decode(), "left": left}))
'''


def test_50_mb_of_base64_take_no_memory(tmp_path: Path) -> None:
    assert base64.b64encode(bytes(range(57)))[-1:] != b"="  # whole lines, as clients send them
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SHEEPFOLD_")}
    command = [sys.executable, "-c", CHILD, str(tmp_path / "farm"), str(UPLOAD_MIB)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True, env=environment)
    told = json.loads(ended.stdout)
    assert "Factory not found with name=nemo." in told["answer"]
    assert told["grown_kib"] < 4 * 1024
    assert told["left"] == 0
