"""Files into statements: one module a language or kind of file, chosen by `route`.

Each has `extract(source, wanted, last_line)`: it never raises, takes linear time, and tells what it cannot follow as
`Unreadable`, because nobody may call clean what was not read.
"""
