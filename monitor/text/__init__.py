"""Documents of the API as text for people, in the same words on every face.

table     aligned columns, times and numbers as people read them, text without control characters
screen    the state of the node
detail    one prefix, and what the daemon did as a whole
outcome   what came of a decision
listing   plans, windows, rules, records
plandoc   a plan as sections, before it is text or Markdown
plantext  these as text
planmark  these as Markdown
moment    moments and durations as people type them
"""
