"""What a plan asks of people, in words."""

from monitor.text.screen import mapping, texts
from monitor.text.table import clean, number


def requirement(document: object) -> str:
    """Return what a plan asks for: ``2 people, 1 of net-ops; a ticket that matches ^CHG-``; nothing where it is not known."""
    wanted = mapping(document)
    if not wanted:
        return ""
    people = wanted.get("people")
    words = [f"{number(people)} {'person' if people == 1 else 'people'}"]
    words[0] += "".join(f", {number(count)} of {clean(name)}" for name, count in mapping(wanted.get("groups")).items())
    words += [f"a ticket that matches {ticket}" for ticket in texts(wanted.get("tickets"))]
    if denied := wanted.get("denied"):
        words.append(f"{number(denied)} denied by a rule, so only --break-glass releases it")
    return "; ".join(words)
