"""Extractors of files that declare dependencies, one module an ecosystem.

Every entry is a `Statement` of form `manifest`. What the file does not mark as asked for by the project itself (a
lock's entries, `// indirect` in go.mod) has a text that begins with `indirect: `; policy judges it by a flag of its
own. A file that its own tool may accept and that cannot be read here is an `Unreadable`, never silence.
"""
