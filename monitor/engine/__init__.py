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
waiting     why a change has not been written yet
rows        routes as the filter language sees them
ordering    places of a million routes in prefix order, without one long sort
columns     the columns that routes can be sorted by
cursor      a row that moves over a million routes
scan, bypath   which routes a filter on a part of a route matches, read in the order of memory
walk        which routes belong to a view, and in what order
pool, groups, sorting   a view by a column: rows by number, thrown together by value, put in order
views       the views of all faces, for as long as somebody looks
viewfeed    answers about views
rates       how much happens, in bins of ten seconds
overview    status, peers and domains
lookup      where a packet would go
sentence    what became of a prefix, in one sentence
explain     every path of a prefix, with what became of it
surroundings, doctor   what may be wrong around the daemon
feed        answers everything that may be read
tenancy     refuses a table that another program uses
rules       the approval rules at work
effects     what a plan does to traffic, in words
planrows    operations as rows of a plan
plans       frozen plans as they are stored
freezing    makes them
holds       what is kept out of plans, and the pause
flight      one change from its first write to its end
conductor   applies, watches, confirms, takes back
change      all of that put together
planfeed    answers about plans
pastfeed    answers about the past
keeping     snapshots, and what is too old
control     what a person can change
"""

from monitor.engine.change import ChangeControl, machine_id
from monitor.engine.control import EngineControl
from monitor.engine.core import Engine
from monitor.engine.feed import EngineFeed
from monitor.engine.keeping import keep
from monitor.engine.tenancy import refuse_occupied

__all__ = ["ChangeControl", "Engine", "EngineControl", "EngineFeed", "keep", "machine_id", "refuse_occupied"]
