"""An example of every body that is sent over REST, for the API's document; a test reads each by its model."""

from collections.abc import Mapping
from typing import Any

EXAMPLES: Mapping[str, Mapping[str, Any]] = {
    "BrowserAsked": {"name": "firefox", "version": "128.0", "platform": "linux"},
    "EmailProof": {"code": "Xb2aV9"},
    "EmailSet": {"email": "ann@example.org"},
    "Farewell": {"password": "correct horse"},
    "FrameAgain": {"frame": 17},
    "Heartbeat": {"seconds_done": 40},
    "InvitationAsked": {"role": "artist"},
    "JobChange": {"priority": 10, "private": True},
    "JobOrder": {"kind": "flame", "spec": {"frames": 160, "width": 800, "height": 592}, "title": "Coral"},
    "KeyAsked": {"scope": "order"},
    "LeaseAsked": {"wait_s": 20},
    "MachineCommand": {"command": "pause"},
    "MachineRules": {"idle_min": 10, "hours": "22-6", "mains_only": True},
    "MoreFrames": {"frames": "251-300"},
    "PasswordSet": {"old": "correct horse", "password": "battery staple"},
    "PersonChange": {"role": "artist"},
    "Problem": {"type": "/api/docs#lease-not-held", "title": "Lease not held", "status": 409,
                "detail": "Lease 17 on task 12 is expired, the task done.", "lease": "17"},
    "ProblemReport": {"text": "The menu is there twice."},
    "SessionAsked": {"abilities": {"kinds": ["flame"], "renderers": [{"name": "flam3", "version": "3.1.1"}],
                                   "memory_mib": 8192}},
    "TeamHandedOver": {"leader": "bob"},
    "TeamJoined": {"invitation": "Q2hhbmdlIG1lIQ"},
    "TeamMade": {"name": "woolpack"},
    "UploadAsked": {"size_bytes": 73400320, "sha256": "ad" * 32},
    "VoteCast": {"value": 1},
    "WebhookAdded": {"url": "https://hooks.example/farm", "form": "slack", "topics": ["job.done", "job.failed"]},
}


def add_examples(schemas: Mapping[str, dict[str, Any]]) -> None:
    """Write an example into the schema of each body that has one here."""
    for name, example in EXAMPLES.items():
        schemas[name]["examples"] = [dict(example)]
