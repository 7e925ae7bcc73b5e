"""The terminal UI: what ``bgpmon`` shows on a terminal.  It asks the daemon for what fits the window, and keeps no table.

run        opens it: looks before Textual, a watchdog beside it
looks      what this terminal can show, and how each meaning looks (pure)
registry   every action, its keys and where it works: behind keys, footer, help, palette and documentation (pure)
app        the frame, the keys, the way from screen to screen
desk       what every screen works with
link       calls to the daemon in threads; lost and found again
pane       what all screens have in common; panes/ has one module each
rows       rows that are here, and a window on a view that the daemon holds
table      the one table: draws its window, cursor bound to the route
column     which columns a width has room for (pure)
line       lines of spans (pure); lines draws them, bare without anything around them
cells      cells and phrases of several screens (pure)
bars       the lines around every screen (pure)
tables     order, columns, copy, export
prompt     the line in which a filter or a command is typed
filtering  the filter language over what is here; completion
commands   the words of the command line
deciding   the dialogs of change control; dialogs/ has their widgets
watchdog   notices that the terminal has gone
"""
