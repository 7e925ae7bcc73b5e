"""The lab: a node, the routers of three routing domains and real daemons, on one machine.

``routes`` makes tables to announce; ``gobgpd``, ``bird`` and ``frr`` write the daemons' configurations (the
tests use them too); ``machine`` starts and remembers what runs; ``topology`` says what the lab consists of;
``breakage`` is the list of things that ``make lab-break`` can do to it.
"""
