"""Letters: a message to a webhook as its form wants it, signed with the hook's secret."""

import hashlib
import hmac
import html
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from sheepfold.model.notices import Form
from sheepfold.store.webhooks import Delivery, Hook

DISCORD_LENGTH = 2000
"""The most characters that Discord takes as a message's content."""
_DISCORD_MARKS = re.compile(r"([\\*_~`|>\[\]#<])")


@dataclass(frozen=True, slots=True)
class Letter:
    """What is sent over HTTP for a delivery."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


def letter_of(hook: Hook, delivery: Delivery, now: int) -> Letter:
    """Write a delivery as its hook's form wants it, signed with the hook's secret."""
    told = json.loads(delivery.body)
    body = json.dumps(_WRITTEN[hook.form](told), ensure_ascii=False).encode()
    headers = {"Content-Type": "application/json", "Sheepfold-Topic": delivery.topic,
               "Sheepfold-Delivery": delivery.notice}
    if hook.form is Form.MATRIX and "/_matrix/client/" in hook.url:
        url = f"{hook.url.rstrip('/')}/{quote(delivery.notice)}"  # the transaction: the server drops a double itself
        return Letter("PUT", url, headers | {"Authorization": f"Bearer {hook.secret}"}, body)
    stamp = str(now)
    signature = signed(hook.secret, stamp, body)
    return Letter("POST", hook.url, headers | {"Sheepfold-Timestamp": stamp, "Sheepfold-Signature": signature}, body)


def signed(secret: str, timestamp: str, body: bytes) -> str:
    """Return the signature of a message: HMAC-SHA256 of its timestamp, a full stop and its body."""
    return "v1=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def discord(told: Mapping[str, Any]) -> dict[str, Any]:
    """Write a message of Discord's webhooks, which rings nobody and is marked up nowhere."""
    link = f"\n<{told['link']}>" if told["link"] else ""
    text = _DISCORD_MARKS.sub(r"\\\1", told["text"][: (DISCORD_LENGTH - len(link)) // 2])  # each may become two
    # with mentions allowed a job's title could ring everybody
    return {"content": text + link, "username": "Sheepfold", "allowed_mentions": {"parse": []}}


def slack(told: Mapping[str, Any]) -> dict[str, Any]:
    """Write a message of Slack's incoming webhooks."""
    text = told["text"].replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return {"text": text + (f"\n<{told['link']}>" if told["link"] else "")}


def matrix(told: Mapping[str, Any]) -> dict[str, Any]:
    """Write an event of m.room.message, with the fields beside it that a bridge's webhook reads."""
    plain = told["text"] + (f"\n{told['link']}" if told["link"] else "")
    rich = html.escape(told["text"])
    if told["link"]:
        rich = f'<a href="{html.escape(told["link"])}">{rich}</a>'
    return {"msgtype": "m.notice", "body": plain, "format": "org.matrix.custom.html", "formatted_body": rich,
            "text": plain, "html": rich, "username": "Sheepfold"}


_WRITTEN: Mapping[Form, Callable[[Mapping[str, Any]], Mapping[str, Any]]] = {
    Form.JSON: dict, Form.DISCORD: discord, Form.SLACK: slack, Form.MATRIX: matrix}
