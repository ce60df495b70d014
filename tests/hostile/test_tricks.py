"""Single tricks of strangers, each aimed at a place of a reader: XML-RPC, forms, JSON, addresses of pages."""

import asyncio
import json
import logging

import pytest
from bench.ground.fuzzing import Asked, Tracebacks, answered

from sheepfold.app import make_app
from sheepfold.config import Settings
from sheepfold.farm.accounts import add_account, add_key
from sheepfold.farm.checkup import check
from sheepfold.farm.farm import open_farm
from sheepfold.model.accounts import Role
from sheepfold.protocols.registry import verifiers


class Door:
    """An application with somebody before it who has a key and means harm."""

    def __init__(self, farm, log):
        self.farm, self._app, self._log = farm, make_app(farm), log
        add_account(farm, "mallory", Role.ARTIST, "")
        self._key = add_key(farm, "mallory", "desk").key

    def ask(self, method, path, media_type=b"", body=b"", query=b""):
        """Send a request; fails where the farm stumbles, and returns the answer."""
        headers = ((b"authorization", b"Bearer " + self._key.encode()), (b"content-type", media_type))
        answer = asyncio.run(answered(self._app, Asked(method, path, query, headers, body)))
        assert answer.status < 500 or answer.status == 503, (answer.status, bytes(answer.body[:500]))
        assert not self._log.found, self._log.found
        return answer


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    log, root = Tracebacks(), logging.getLogger()
    root.addHandler(log)
    with open_farm(Settings(tmp_path_factory.mktemp("farm"), claim_wait_limit_s=0), verifiers) as farm:
        yield Door(farm, log)
    root.removeHandler(log)


# --- XML-RPC

VALUES = {
    "arrays in arrays": b"<array><data><value>" * 10_000 + b"</value></data></array>" * 10_000,
    "a file that is none": b"<base64>!!!!%%%</base64>",
    "half a file": b"<base64>QQ=</base64>",
    "a file of blanks": b"<base64>" + b" \n" * 500_000 + b"</base64>",
    "a day that is none": b"<dateTime.iso8601>99999999T99:99:99</dateTime.iso8601>",
    "a number of 5,000 digits": b"<int>" + b"9" * 5000 + b"</int>",
    "a number beyond all": b"<i8>9223372036854775808</i8>",
    "no number": b"<double>nan</double>",
    "an endless number": b"<double>1e999</double>",
    "a third truth": b"<boolean>2</boolean>",
    "nothing": b"<nil/>",
    "one member twice": b"<struct>" + b"<member><name>a</name><value>1</value></member>" * 2 + b"</struct>",
    "a member without a name": b"<struct><member><value>1</value></member></struct>",
    "12,000 members": b"<struct>" + b"<member><name>n</name><value>1</value></member>" * 12_000 + b"</struct>",
    "two sorts": b"x<int>1</int><string>y</string>",
    "a value in a value": b"<value>1</value>",
    "half a pair": b"<string>&#xd800;</string>",
    "a zero": b"<string>&#0;</string>",
    "two megabytes": b"<string>" + b"x" * 2_000_000 + b"</string>",
    "60,000 attributes": b"<string " + b" ".join(b"a%d='1'" % number for number in range(60_000)) + b">x</string>",
    "an entity of nobody": b"<string>&x;</string>",
    "200,000 signs by number": b"<string>" + b"&#65;" * 200_000 + b"</string>",
}
METHODS = (b"nonces.challenge", b"requests.poll", b"screenshots.upload", b"system.multicall")
LAUGHS = b'<!DOCTYPE a [<!ENTITY a "' + b"a" * 1000 + b'"><!ENTITY b "' + b"&a;" * 1000 + b'">]>'


def call(method, inside=b"", before=b"<?xml version='1.0'?>"):
    return before + b"<methodCall><methodName>" + method + b"</methodName><params>" + inside + b"</params></methodCall>"


def item(method):
    return (b"<value><struct><member><name>methodName</name><value>" + method + b"</value></member><member><name>params"
            b"</name><value><array><data/></array></value></member></struct></value>")


def many(method):
    return b"<param><value><array><data>" + item(method) * 1000 + b"</data></array></value></param>"


CALLS = {
    "of sixteen bits": ("<?xml version='1.0' encoding='utf-16'?>" + call(b"a", before=b"").decode()).encode("utf-16"),
    "of seven bits": call(b"a", before=b"<?xml version='1.0' encoding='utf-7'?>"),
    "in no encoding": call(b"a", before=b"<?xml version='1.0' encoding='hex_codec'?>"),
    "in a long encoding": call(b"a", before=b"<?xml version='1.0' encoding='" + b"x" * 100_000 + b"'?>"),
    "that laughs": call(b"&b;", before=LAUGHS),
    "with a type from elsewhere": call(b"a", before=b'<!DOCTYPE a SYSTEM "http://127.0.0.1:1/x.dtd">'),
    "with a long name": call(b"x" * 500_000),
    "to what is within": call(b"__class__.__init__"),
    "of calls of calls": call(b"system.multicall", many(b"system.multicall")),
    "of many calls": call(b"system.multicall", many(b"nonces.challenge")),
    "twice": call(b"a") * 2,
    "that is an answer": b"<methodResponse><fault><value>1</value></fault></methodResponse>",
}


@pytest.mark.parametrize("what", VALUES)
def test_no_value_of_a_call_upsets_the_farm(door, what):
    for method in METHODS:
        answer = door.ask("POST", "/xmlrpc/", b"text/xml", call(method, b"<param><value>" + VALUES[what]
                                                                  + b"</value></param>"))
        assert answer.status == 200
        assert b"faultCode" in answer.body or method == b"system.multicall"


@pytest.mark.parametrize("what", CALLS)
def test_no_call_upsets_the_farm(door, what):
    assert door.ask("POST", "/xmlrpc/", b"text/xml", CALLS[what]).status == 200
    door.ask("POST", "/server/request_job.php", b"text/xml", CALLS[what])


# --- forms

ORDER = json.dumps({"kind": "flame", "spec": {"frames": 2, "width": 32, "height": 32}}).encode()


def form(*parts, ends=b"--b--\r\n"):
    return b"".join(b"--b\r\n" + head + b"\r\n\r\n" + body + b"\r\n" for head, body in parts) + ends


def head(name, file_name=None, more=b""):
    file = b"" if file_name is None else b'; filename="' + file_name + b'"'
    return b'Content-Disposition: form-data; name="' + name + b'"' + file + more


FIRST = (head(b"order"), ORDER)
FORMS = {
    "without an end": form(FIRST, (head(b"genome", b"g"), b"<flame/>"), ends=b""),
    "of 10,000 files": form(*((head(b"p%d" % number, b"f"), b"x") for number in range(10_000))),
    "of 10,000 orders": form(*[FIRST] * 10_000),
    "within a form": form((head(b"order", more=b"\r\nContent-Type: multipart/mixed; boundary=c"), b"--c\r\n\r\n\r\n")),
    **{f"with a file named {name[:20]!r}": form(FIRST, (head(b"genome", name), b"<flame/>")) for name in (
        b"../../x", b"a\0b", b"\xe2\x80\xaegpj.exe", b"n" * 100_000, b'a\\"b', b"\xe9\xff", b"/etc/passwd", b"")},
    **{f"with a part named {name[:20]!r}": form(FIRST, (head(name, b"f"), b"x")) for name in (
        b"../../genome", b"gen\0ome", b"g" * 5000, b"", b"..", b"g%0d%0a", b"\xff")},
    "with a name by RFC 5987": form(FIRST, (head(b"genome", more=b"; filename*=UTF-8''%2e%2e%2fx"), b"<flame/>")),
    "with names that are none": form(FIRST, (head(b"genome", more=b"; filename*=hex'x'%ff%00; filename*0=a"), b"x")),
    "with a head of a megabyte": form((head(b"order", more=b"\r\nX: " + b"a" * 2**20), ORDER)),
    "with 10,000 heads": form((head(b"order", more=b"\r\nX: a" * 10_000), ORDER)),
    "without a disposition": form((b"X: y", ORDER)),
    "of dashes": b"\r\n--" * 300_000,
    "with a deep order": form((head(b"order"), b'{"kind":"flame","spec":' + b'{"a":' * 50_000 + b"}" * 50_000 + b"}")),
}


@pytest.mark.parametrize("what", FORMS)
def test_no_form_upsets_the_farm_or_is_an_order(door, what):
    for path in ("/api/v1/jobs", "/server/send_frame.php", "/xmlrpc/"):
        answer = door.ask("POST", path, b"multipart/form-data; boundary=b", FORMS[what])
        assert answer.status != 201
    assert not [path for path in door.farm.spool_folder.iterdir() if path.is_file()]


# --- JSON

BODIES = (
    b"[1e400]", b'{"abilities": {"kinds": ["flame"], "memory_mib": 1e999}}', b'{"abilities": {"kinds": ["\\ud800"]}}',
    b'{"abilities": {"kinds": ["flame"], "memory_mib": 99999999999999999999}}', b'{"a": NaN}', b"\xff\xfe{\0",
    b"9" * 5000,
    b'{"abilities": {"kinds": ["flame"], "renderers": [{"name": "\\u0000", "version": "1"}]}}', b'"\\uD83D"',
    b'{"abilities": {"kinds": ' + json.dumps([f"k{number}" for number in range(100_000)]).encode() + b"}}",
)


@pytest.mark.parametrize("body", BODIES, ids=lambda body: repr(body[:30]))
def test_no_json_upsets_the_farm(door, body):
    for path in ("sessions", "uploads", "webhooks", "teams"):
        assert 400 <= door.ask("POST", f"/api/v1/{path}", b"application/json", body).status < 500


# --- pages that are ordered

URLS = (
    "http://u:p@h/", "http://2130706433/", "http://0x7f.1/", "http://017700000001/", "http://[::ffff:127.0.0.1]/",
    "http://[::1]/", "http://localhost/", "http://127.1/", "file:///etc/passwd", "javascript:alert(1)",
    "data:text/html,x", "http://h\t/", "http://h:99999/", "http://h:-1/", "http://[fe80::1%25eth0]/",
    "http://" + "a." * 200 + "com/", "http://\u2460\u2461\u2466.\u24ea.\u24ea.\u2460/", "http://169.254.169.254/",
    "http://0/", "http://[::]/", "http://[fec0::1]/", "http://[64:ff9b:1::101:101]/", "http://[64:ff9b::7f00:1]/",
    "http://127\u30020\u30020\u30021/", "http:///x", "http:127.0.0.1/", "//127.0.0.1/", "http://a..b/", "http://-a/",
    "http://h\r\nX: y/", "view-source:http://h/", "ftp://h/", "http://[v1.x]/", "http://[/", "http://]/",
)


@pytest.mark.parametrize("url", URLS)
def test_no_address_leads_into_the_house(door, url):
    order = json.dumps({"kind": "screenshot", "spec": {"url": url, "browsers": ["Firefox"]}}).encode()
    answer = door.ask("POST", "/api/v1/jobs", b"multipart/form-data; boundary=b", form((head(b"order"), order)))
    assert 400 <= answer.status < 500, bytes(answer.body)
    assert b"robots.txt" not in answer.body  # nobody was called for one


def test_after_all_that_the_farm_is_whole(door):
    assert list(check(door.farm, read_blobs=True)) == []
