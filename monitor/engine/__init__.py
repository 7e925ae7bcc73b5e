"""Sources in, domains kept, desired routes to the programmer, documents out.

peer        one peer's paths, and how far they can be trusted
domain      one domain's candidates, outcomes, counts and desired routes
core        applies what sources tell, and keeps the programmer told
feed        answers everything that may be read
control     freezes, approves, reloads, withdraws
"""

from monitor.engine.control import EngineControl
from monitor.engine.core import Engine
from monitor.engine.feed import EngineFeed

__all__ = ["Engine", "EngineControl", "EngineFeed"]
