"""Requests as a table of tests writes them: XML in, XML out; archives and commands on top of that."""

from client import LIMIT, Client
from slixmpp import ET

COMMANDS = "http://jabber.org/protocol/commands"
MAM = "urn:xmpp:mam:2"
RSM = "http://jabber.org/protocol/rsm"
SID = "urn:xmpp:sid:0"


async def ask(client: Client, kind: str, to: str | None, payload: str):
    """The answer to an iq; an error is raised as `IqError`."""
    iq = client.make_iq(itype=kind, ito=to)
    iq.xml.append(ET.fromstring(payload))
    return (await iq.send(timeout=LIMIT)).xml


async def text_of(client: Client, to: str | None, payload: str) -> str:
    """What a get answers, as text."""
    return ET.tostring(await ask(client, "get", to, payload), encoding="unicode")


def form(kind: str, fields: dict[str, str]) -> str:
    """A submitted form (XEP-0004)."""
    all_fields = {"FORM_TYPE": kind} | fields
    inner = "".join(f"<field var='{var}'><value>{value}</value></field>" for var, value in all_fields.items())
    return f"<x xmlns='jabber:x:data' type='submit'>{inner}</x>"


async def command(client: Client, to: str | None, node: str, *forms: tuple[str, dict[str, str]]) -> str:
    """Runs a command (XEP-0050) with these forms, the last of which completes it; what it said at the end."""
    answer = await ask(client, "set", to, f"<command xmlns='{COMMANDS}' node='{node}' action='execute'/>")
    for number, (kind, fields) in enumerate(forms):
        session = answer.find(f"{{{COMMANDS}}}command").get("sessionid")
        action = "complete" if number == len(forms) - 1 else "next"
        head = f"<command xmlns='{COMMANDS}' node='{node}' sessionid='{session}' action='{action}'>"
        answer = await ask(client, "set", to, f"{head}{form(kind, fields)}</command>")
    assert not forms or answer.find(f"{{{COMMANDS}}}command").get("status") == "completed", ET.tostring(answer)
    return ET.tostring(answer, encoding="unicode")


async def archive(client: Client, of: str | None = None) -> list[tuple[str, ET.Element]]:
    """All that an archive has (XEP-0313), page by page: ids and messages. Messages that come meanwhile stay in the queue."""
    found, after, others = [], "", []
    while True:
        page = f"<set xmlns='{RSM}'><max>50</max>{after}</set>"
        fin = (await ask(client, "set", of, f"<query xmlns='{MAM}'>{page}</query>")).find(f"{{{MAM}}}fin")
        while not client.messages.empty():
            message = client.messages.get_nowait()
            result = message.xml.find(f"{{{MAM}}}result")
            if result is None:
                others.append(message)
            else:
                found.append((result.get("id"), result.find(".//{jabber:client}message")))
        last = fin.findtext(f"{{{RSM}}}set/{{{RSM}}}last")
        if fin.get("complete") == "true" or last is None:
            break
        after = f"<after>{last}</after>"
    for message in others:
        client.messages.put_nowait(message)
    return found


def body(message: ET.Element) -> str | None:
    """What it says."""
    return message.findtext("{jabber:client}body")


def stanza_id(message, by: str) -> str | None:
    """Its name in the archive of `by` (XEP-0359)."""
    return next((sid.get("id") for sid in message.xml.iterfind(f"{{{SID}}}stanza-id") if sid.get("by") == by), None)
