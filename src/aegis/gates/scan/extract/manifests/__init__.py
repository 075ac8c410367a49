"""Extractors of files that declare dependencies, one module an ecosystem.

Every entry is a `Statement` of form `manifest`. What the file itself marks as not asked for by the project (a lock's
transitive entry, `// indirect` in go.mod) has a text that begins with `indirect: `; policy judges it by a flag of its own.
A file that its own tool may accept and that cannot be read here is an `Unreadable`, never silence.
"""
