"""The words by which each client opens a farm with a new key."""

from sheepfold.model.accounts import Scope
from sheepfold.protocols.rest.account_wire import KeyMade

_OPENS = {Scope.WORK: "rendering", Scope.ORDER: "rendering and ordering", Scope.MANAGE: "all that its account may do"}
_WORDS = """\
{key}

This is the key of {machine}. It is shown only now; keep it like a password. It opens {opens}.

  our worker         sheepfold work --server {server} --key {key}
                     (where it is not installed yet, {server}/join says how)
                     (for trying the old protocols: --protocol sheepit or electricsheep --account {account},
                     or --protocol browsershots --account {machine})
  SheepIt            java -jar sheepit-client.jar -server {server} -login {account} -password {key} -ui text
  Electric Sheep     nickname {account}, password {key}, and the farm's host as `redirectserver`
                     (2.7b29 to 2.7b36; for 3.0 and later lead community.sheepserver.net to this farm, port 443)
  ShotFactory        shotfactory.py -s {server} -f {machine} -P {key}
                     (tell the farm of its browsers first: sheepfold browser add {machine} …)
"""


def words_for(made: KeyMade, server: str) -> str:
    """Return a new key with what to type into each real client."""
    return _WORDS.format(key=made.key, machine=made.machine, account=made.account, server=server,
                         opens=_OPENS[made.scope]).rstrip()
