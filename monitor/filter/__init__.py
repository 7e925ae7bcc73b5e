"""The one filter language of bgpmon: routes, paths and plan operations, by words.  Pure: no I/O, no clock.

error      what is wrong in a filter, where, and what was probably meant
lexer      words, texts and signs
pattern    regular expressions in linear time
value      kinds of value: how a word becomes a value
field      the fields: names, aliases, operators, kinds
node       the syntax tree
parser     from text to tree
row        what a row has to offer
compiler   from tree to a function of a row
query      a parsed filter, and ``parse``
extent     what one subject of a filter can still be
analysis   filters that can never match, or that others cover
"""

from monitor.filter.analysis import hidden_by, implies, never
from monitor.filter.error import FilterError, Hint
from monitor.filter.field import FIELDS, NAMES
from monitor.filter.node import Relation
from monitor.filter.query import PrefixBounds, Query, parse
from monitor.filter.row import FilterRow

__all__ = [
    "FIELDS",
    "NAMES",
    "FilterError",
    "FilterRow",
    "Hint",
    "PrefixBounds",
    "Query",
    "Relation",
    "hidden_by",
    "implies",
    "never",
    "parse",
]
