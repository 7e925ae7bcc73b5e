"""What the body of each kind of record says.

The key that names a row says what the record is about:

``change``    a batch that is about to be written: cause, counts ``[add, change, remove]``, digests of prefixes and operations
``of``        what the kernel answered to such a batch: how many are done and failed, digest of the failures
``event``     a note, in full
``plan``      a plan as a whole, with the digest of its stored form
``state``     where a plan stands; ``progress`` how far its application is
``approval``  a person's decision, in full
``through``   up to where records were pruned; ``missing`` what was lost
"""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from programmer.journal.chain import text_digest
from programmer.plan import Operation


class Approval(NamedTuple):
    """A decision about a plan.

    ``principal`` decided, proven by ``method``; ``act`` is what was decided.  ``expires`` is a moment like ``at`` (0: never).
    ``statement`` is the text that was signed and ``signature`` its signature, both empty where nothing was signed.
    """

    id: int
    plan: str
    at: float
    principal: str
    method: str
    act: str
    ticket: str
    comment: str
    expires: float
    statement: str
    signature: str


class StoredPlan(NamedTuple):
    """A frozen plan.  ``body`` is empty in lists, since it may be large."""

    digest: str
    number: int
    state: str
    created_at: float
    expires_at: float
    actor: str
    detail: str
    body: str


def clean(text: str) -> str:
    """Return *text* without what SQLite cannot store: lone surrogates, as in file names that are not UTF-8."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def counts_of(operations: Sequence[Operation]) -> list[int]:
    """Return how many operations add, change and remove."""
    added = sum([operation.before is None for operation in operations])
    removed = sum([operation.after is None and operation.before is not None for operation in operations])
    return [added, len(operations) - added - removed, removed]


def counts_of_text(operations: str) -> list[int]:
    """Return the same from the stored form."""
    documents = json.loads(operations)
    added = sum(document[3] is None for document in documents)
    removed = sum(document[4] is None and document[3] is not None for document in documents)
    return [added, len(documents) - added - removed, removed]


def change_body(row: int, cause: str, counts: Sequence[int], prefixes: str, operations: str) -> dict[str, Any]:
    """Return the body of a batch."""
    return {
        "change": row,
        "cause": cause,
        "counts": list(counts),
        "prefixes": text_digest(prefixes),
        "sha256": text_digest(operations),
    }


def result_body(row: int, total: int, failed: int, results: str) -> dict[str, Any]:
    """Return the body of an answer."""
    return {"of": row, "done": total - failed, "failed": failed, "sha256": text_digest(results)}


def plan_body(plan: StoredPlan, progress: str = "") -> dict[str, Any]:
    """Return the body of a plan as a whole."""
    fields = plan._asdict()
    return {"sha256": text_digest(fields.pop("body")), "plan": {**fields, "progress": progress}}


def approval_body(approval: Approval) -> dict[str, Any]:
    """Return the body of a decision."""
    fields = approval._asdict()
    return {"approval": fields.pop("id"), **fields}


def told(kind: str, body: dict[str, Any]) -> str:
    """Return in words what a record says that is neither a batch nor an answer."""
    if kind == "kept":
        return str(body.get("detail", ""))
    if "approval" in body:
        words = f"{body.get('act')} by {body.get('principal')}"
        return f"{words}: {body['comment']}" if body.get("comment") else words
    if "state" in body:
        return f"{body['state']}: {body['detail']}" if body.get("detail") else str(body["state"])
    if "plan" in body and kind == "plan":
        return f"plan {body['plan']['number']} is {body['plan']['state']}"
    return str(body.get("progress", body.get("detail", "")))
