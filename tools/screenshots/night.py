"""What the pictures show, in the order of an operator's night: a look, a search, a decision, the way back.  Pure."""

from typing import NamedTuple


class Scene(NamedTuple):
    """One thing to be seen: its short name, which chapter it belongs to, and a sentence about it."""

    slug: str
    chapter: str
    says: str


LOOK, SEARCH, DECIDE, LAB, WINDOWS = (
    "A look at the node", "What is it, and where does it go?", "A decision on the demo",
    "Two people, a probe, and the way back, on the lab", "Other terminals",
)  # fmt: skip

NIGHT = tuple(
    Scene(*one)
    for one in (
        ("overview", LOOK, "Overview (1): is this node all right? Peers, domains, what needs a look, the latest events."),
        ("peers", LOOK, "Peers (2): each session, since when, what it brought; the one under the cursor in full."),
        ("domains", LOOK, "Domains (3): how far paths get in each domain, and for which reasons the others do not."),
        ("routes", LOOK, "Routes (4): the big table. The signs in front say what BGP wants and what the kernel has."),
        ("events", LOOK, "Events (6): what the journal records, newest first."),
        ("health", LOOK, "Health (8): the daemon's own checks, each with what to do."),
        ("help", LOOK, "Help (?): what works on this screen; once more: everything."),
        ("palette", LOOK, "The palette (ctrl+p): an action or a command by some letters of it."),
        ("filter", SEARCH, "A filter (/) while it is typed: how many routes match so far, and how long that took."),
        ("filter-bad", SEARCH, "A filter with a mistake: what is wrong and what there is instead. Nothing is lost."),
        ("moved", SEARCH, "What moved in the last five minutes: `age<5m`."),
        ("route", SEARCH, "A route (enter): what BGP wants, what the kernel has, every path, and why it is not the best."),
        ("lookup", SEARCH, "Lookup (7): an address is asked for."),
        ("lookup-answered", SEARCH, "Lookup, answered: what BGP wants, what the kernel does, what the plan would change."),
        ("windows", SEARCH, "`:window list`: every command of the command line works after a colon."),
        ("plan-live", DECIDE, "Plan (5), live: what would change, what was checked, what moves. It changes while BGP does."),
        ("unlock", DECIDE, "Unlock (W): before that no key changes anything. Cancel has the focus in every dialog."),
        ("freeze", DECIDE, "Freeze (F): a copy that stays, of everything or of what a filter matches."),
        ("plan-frozen", DECIDE, "The frozen plan, named by its digest: who has to agree, and how long it counts."),
        ("approve", DECIDE, "Approve (A): what it does in numbers; the first block of the digest is typed."),
        ("soaking", DECIDE, "Applied and soaking: it is taken back unless somebody confirms it. The daemon owns the timer."),
        ("confirm", DECIDE, "Confirm (C): the digest again, and how long is left."),
        ("confirmed", DECIDE, "Confirmed: it stays."),
        ("rollback", DECIDE, "Roll back (R), while the next plan soaks: with a reason for the history."),
        ("rolled-back", DECIDE, "Rolled back, and read back: everything is as it was before."),
        ("plans", DECIDE, "The frozen plans (l), newest first."),
        ("lab-overview", LAB, "The lab's node before the story: real routers, the real kernel."),
        ("lab-peers", LAB, "Its peers."),
        ("lab-routes", LAB, "Somebody announces a more specific of the shop's network: pending, not written."),
        ("lab-waiting", LAB, "Frozen: a probe's target would be reached another way. The risk is high; two people are asked."),
        ("lab-sign", LAB, "Sign (S): the commands for your own machine, where your key is, and the text that is signed."),
        ("lab-queued", LAB, "Both have signed. The window is shut, so the plan waits, and nobody has to."),
        ("lab-soaking", LAB, "The window opened, the plan is applied, and the probe does not reach the shop any more."),
        ("lab-rolled-back", LAB, "Three failures in a row: taken back and read back, while nobody typed anything."),
        ("narrow-overview", WINDOWS, "Overview on 40 columns and 12 rows."),
        ("narrow-routes", WINDOWS, "Routes on 40 columns and 12 rows: the columns that matter most are left."),
        ("dark-overview", WINDOWS, "A terminal with 24-bit colours: `COLORTERM=truecolor bgpmon tui --theme dark`."),
        ("dark-plan", WINDOWS, "The plan there."),
        ("plain-overview", WINDOWS, "`NO_COLOR=1`: no colour at all; signs and words say everything."),
        ("ascii-overview", WINDOWS, "`bgpmon tui --ascii`: for terminals without line drawing."),
    )
)  # fmt: skip
"""Everything that is shown, once; the order is that of the index."""

SCENES = {scene.slug: scene for scene in NIGHT}
