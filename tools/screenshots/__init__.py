"""``python -m tools.screenshots`` makes everything in the folder ``screenshots``: pictures of the terminal UI, and a recording.

night    what is shown, in the order of an operator's night (pure)
album    the folder: pictures, manifest, index
stage    a demo, a terminal UI, and waiting for what it shows
demo     the walk through the demo
lab      the story of change control on the lab, in pictures and as a recording
pace     how long each scene of a recording plays (pure)
"""
