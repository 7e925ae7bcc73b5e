"""Sources in, domains kept, desired routes to the programmer, documents out.

peer        one peer's paths, and how far they can be trusted
view        a peer's paths as one domain may use them
limit       limits on what one peer may send: who is near, who is beyond
teardown    shuts the sessions of peers that send too much, and opens them again
validation  RPKI states: asks the source, and remembers
domain      one domain's candidates, outcomes, counts and desired routes
core        applies what sources tell, and keeps the programmer told
slices      long walks that let others have their turn
text        values in the words that every face shows
condition   what state a domain is in, and what it waits for
rows        routes as the filter language sees them
overview    status, peers and domains
sentence    what became of a prefix, in one sentence
explain     every path of a prefix, with what became of it
surroundings, doctor   what may be wrong around the daemon
feed        answers everything that may be read
tenancy     refuses a table that another program uses
control     freezes, approves, reloads, withdraws
"""

from monitor.engine.control import EngineControl
from monitor.engine.core import Engine
from monitor.engine.feed import EngineFeed
from monitor.engine.tenancy import refuse_occupied

__all__ = ["Engine", "EngineControl", "EngineFeed", "refuse_occupied"]
