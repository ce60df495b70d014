"""The fourteen methods of Browsershots' API, with their signatures and help.

Source: the protocol note on Browsershots, section 1. The words of the signatures (`dict`, `bool`, `Binary`) are the
old server's, which named them after Python's types.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sheepfold.model.errors import MissingParameter, NotFound
from sheepfold.protocols.browsershots.calls import (
    ActiveBrowsers,
    Challenge,
    ChallengeUser,
    Features,
    ListMethods,
    MethodHelp,
    MethodSignature,
    Multicall,
    Poll,
    Request,
    Status,
    Submit,
    Upload,
    Verify,
    VerifyUser,
    read_calls,
    read_file,
    read_number,
    read_string,
    read_strings,
)
from sheepfold.protocols.browsershots.xmlrpc import MethodCall, Value

METHOD_NOT_FOUND = "method not found"  # what system.methodHelp and system.methodSignature return instead of a fault


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a method: its name and type in the documentation, and how it is read."""

    name: str
    type: str
    read: Callable[[str, Value], object]


@dataclass(frozen=True, slots=True)
class Method:
    """One row of the API; the help is in reStructuredText."""

    request: type[Request]
    returns: str
    parameters: tuple[Parameter, ...]
    help: str

    @property
    def name(self) -> str:
        """The method's name."""
        return self.request.method

    @property
    def signature(self) -> tuple[str, ...]:
        """The types, that of the result first."""
        return (self.returns, *(parameter.type for parameter in self.parameters))

    @property
    def line(self) -> str:
        """The signature as the documentation shows it."""
        return f"{self.name}({', '.join(parameter.type for parameter in self.parameters)}) => {self.returns}"


_FACTORY = Parameter("factory_name", "string", read_string)
_USER = Parameter("username", "string", read_string)
_ENCRYPTED = Parameter("encrypted_password", "string", read_string)
_METHOD = Parameter("method_name", "string", read_string)
_GROUP = Parameter("request_group_id", "int", read_number)
_REQUEST = Parameter("request", "int", read_number)
_SCREENSHOT = Parameter("screenshot", "Binary", read_file)
_URL = Parameter("url", "string", read_string)
_BROWSERS = Parameter("browsers", "list", read_strings)
_CALLS = Parameter("calls", "list", read_calls)

_ENCRYPTION_HELP = """
Password encryption
~~~~~~~~~~~~~~~~~~~
Take a fresh nonce for every call: it is good for one call within ten minutes.
Hash salt and password, one behind the other, with the algorithm of the challenge and write the digest in small
hexadecimal letters. Put the nonce behind it and write the MD5 of both the same way: that is encrypted_password.
"""

_CHALLENGE_HELP = """
Return value
~~~~~~~~~~~~
* algorithm -- sha1 or md5
* salt -- what to put before the password; may be empty
* nonce -- 32 hexadecimal digits
"""

_ROWS = (
    Method(ActiveBrowsers, "list", (), """List the browsers for which screenshots are made right now.

Return value
~~~~~~~~~~~~
Names such as linux_firefox_2_0: platform, browser, major and minor version, in small letters, with a dash for a blank.
"""),
    Method(Features, "string", (_FACTORY,), """Describe the requests that a factory is given, for people.

Arguments
~~~~~~~~~
* factory_name -- the name of the factory
"""),
    Method(Challenge, "dict", (_FACTORY,), f"""Make a nonce for a factory's next call.

Arguments
~~~~~~~~~
* factory_name -- the name of the factory
{_CHALLENGE_HELP}"""),
    Method(ChallengeUser, "dict", (_USER,), f"""Make a nonce for a user's next call.

Arguments
~~~~~~~~~
* username -- the name of the account
{_CHALLENGE_HELP}"""),
    Method(Verify, "bool", (_FACTORY, _ENCRYPTED), f"""Try a factory's password. The nonce is used up.

Arguments
~~~~~~~~~
* factory_name -- the name of the factory
* encrypted_password -- see below

Return value
~~~~~~~~~~~~
True; a wrong password is a fault.
{_ENCRYPTION_HELP}"""),
    Method(VerifyUser, "bool", (_USER, _ENCRYPTED), f"""Try a user's password. The nonce is used up.

Arguments
~~~~~~~~~
* username -- the name of the account
* encrypted_password -- see below, with a nonce of nonces.challengeUser

Return value
~~~~~~~~~~~~
True; a wrong password is a fault.
{_ENCRYPTION_HELP}"""),
    Method(Poll, "dict", (_FACTORY, _ENCRYPTED), f"""Take one request that this factory can serve.

Arguments
~~~~~~~~~
* factory_name -- the name of the factory
* encrypted_password -- see below

Return value
~~~~~~~~~~~~
* request -- the number of the request
* browser, version, major, minor -- the browser to use
* command -- how to start it; empty for the usual command
* width, height -- the size of the screen in pixels
* bpp -- the depth of its colors in bits
* javascript, java, flash -- enabled, disabled or a version; empty if it does not matter

The page's address is told to the browser alone: it finds it by loading
/redirect/factory_name/encrypted_password/request/ with another nonce.

Locking
~~~~~~~
For some minutes the request belongs to this factory. If nothing is uploaded by then, another one may take it.
{_ENCRYPTION_HELP}"""),
    Method(Status, "list", (_GROUP,), """Tell how far the screenshots of an order are.

Arguments
~~~~~~~~~
* request_group_id -- what requests.submit returned

Return value
~~~~~~~~~~~~
For each browser a dictionary:

* browser -- as in browsers.active; None stands for any version
* status -- pending, starting, loading, uploaded or failed
* seconds -- how long it took, or may still take
* hashkey -- the name of the finished screenshot; empty before
"""),
    Method(Submit, "int", (_USER, _ENCRYPTED, _URL, _BROWSERS), f"""Order screenshots of a page.

Arguments
~~~~~~~~~
* username -- the name of the account
* encrypted_password -- see below, with a nonce of nonces.challengeUser
* url -- the complete address of the page
* browsers -- names as browsers.active lists them; those that nobody knows are passed over

Return value
~~~~~~~~~~~~
A number for requests.status.
{_ENCRYPTION_HELP}"""),
    Method(Upload, "string", (_FACTORY, _ENCRYPTED, _REQUEST, _SCREENSHOT), f"""Deliver the screenshot of a request.

Arguments
~~~~~~~~~
* factory_name -- the name of the factory
* encrypted_password -- see below
* request -- the number from requests.poll
* screenshot -- the PNG file, in base64

Return value
~~~~~~~~~~~~
The hashkey under which the screenshot is found.

Locking
~~~~~~~
The request must still belong to the factory, and the browser must have loaded the page through the redirect.
{_ENCRYPTION_HELP}"""),
    Method(ListMethods, "list", (), "List the names of all methods."),
    Method(MethodHelp, "string", (_METHOD,), "Explain a method, in reStructuredText."),
    Method(MethodSignature, "list", (_METHOD,),
           "Return a list with one list: the type of a method's result, then those of its parameters."),
    Method(Multicall, "list", (_CALLS,), """Make several calls at once.

Arguments
~~~~~~~~~
* calls -- dictionaries with methodName and params

Return value
~~~~~~~~~~~~
For each call a list with its one result, or a dictionary with faultCode and faultString.
"""),
)

METHODS: Mapping[str, Method] = {row.name: row for row in sorted(_ROWS, key=lambda row: row.name)}


def list_methods() -> list[str]:
    """Return what system.listMethods answers."""
    return list(METHODS)


def method_help(name: str) -> str:
    """Return what system.methodHelp answers; for an unknown method no fault but a sentence, as ever."""
    return METHODS[name].help.strip() if name in METHODS else METHOD_NOT_FOUND


def method_signature(name: str) -> Value:
    """Return what system.methodSignature answers."""
    return [list(METHODS[name].signature)] if name in METHODS else METHOD_NOT_FOUND


def decode_call(call: MethodCall) -> Request:
    """Turn a call into its typed request.

    Raise NotFound for an unknown method, MissingParameter for a wrong number of parameters, BadInput for a wrong type.
    """
    if call.method not in METHODS:
        raise NotFound(f'method "{call.method:.80}" is not supported')
    row = METHODS[call.method]
    if len(call.params) != len(row.parameters):
        raise MissingParameter(f"{row.line} was expected, found {len(call.params)} parameters")
    paired = zip(row.parameters, call.params, strict=True)
    return row.request(*(parameter.read(parameter.name, value) for parameter, value in paired))
