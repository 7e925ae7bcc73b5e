"""Change control: who may release what, when.

Approval rules over the filter language, windows, statements and the signatures under them: values and pure logic, which the
configuration makes and the engine uses.
"""
