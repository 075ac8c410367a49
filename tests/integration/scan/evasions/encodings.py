# ruff: noqa: RUF001 - letters that look like others are what is tested
"""Bytes that do not show the letters that the language reads."""

from __future__ import annotations

import codecs

from tests.integration.scan.evasions.case import UNREAD, Case

USE = "import boto3\n"


def _utf_7(text: str) -> str:
    """Every letter in UTF-7's own base 64, which plain encoders avoid for ASCII."""
    packed = codecs.encode(text.encode("utf-16-be"), "base64").decode().replace("\n", "").rstrip("=")
    return f"+{packed}-"


CASES = [
    Case(id="full-width-letter", files={"svc.py": "import ｂoto3\n"}, path="svc.py"),
    Case(id="full-width-all", files={"svc.py": "import ｂｏｔｏ３\n"}, path="svc.py"),
    Case(id="mathematical-letters", files={"svc.py": "from 𝐛𝐨𝐭𝐨𝟑 import client\n"}, path="svc.py"),
    Case(id="roman-numerals", files={"svc.py": "import oⅽⅰ\n"}, path="svc.py"),
    Case(id="ligature", files={"svc.py": "import ﬁrebase_admin\n"}, path="svc.py", rule="scan.runtime"),
    Case(
        id="full-width-on-a-later-line",
        files={"svc.py": "import os, \\\n  ｂoto3\n"},
        path="svc.py",
    ),
    Case(
        id="full-width-in-a-group",
        files={"svc.py": "from google import (\n    auth as a,\n    ｃｌｏｕｄ,\n)\n"},
        path="svc.py",
    ),
    Case(id="full-width-google-in-a-group", files={"svc.py": "from ｇoogle import (\n    cloud,\n)\n"}, path="svc.py"),
    Case(id="cookie-utf-7", files={"svc.py": f"# coding: utf-7\n{_utf_7('import boto3')}\n"}, path="svc.py", line=2),
    Case(
        id="cookie-utf-7-second-line",
        files={"svc.py": f"#!/usr/bin/python\n# vim: set fileencoding=UTF-7 :\n{_utf_7('import boto3')}\n"},
        path="svc.py",
        line=3,
    ),
    Case(
        id="cookie-unicode-escape",
        files={"svc.py": "# coding: unicode_escape\nimport \\x62oto3\n"},
        path="svc.py",
        line=2,
    ),
    Case(
        id="cookie-raw-unicode-escape",
        files={"svc.py": "# coding: raw_unicode_escape\n\\u0069mport \\u0062oto3\n"},
        path="svc.py",
        line=2,
    ),
    Case(id="cookie-iso-2022", files={"svc.py": b"# coding: iso-2022-jp\nimport bo\x1b(Bto3\n"}, path="svc.py", line=2),
    Case(id="cookie-hz", files={"svc.py": b"# coding: hz\nimport bo~{~}to3\n"}, path="svc.py", line=2),
    Case(
        id="cookie-punycode",
        files={"svc.py": "# coding: punycode\nimport boto3\n"},
        path="svc.py",
        rule=UNREAD,
    ),
    Case(
        id="cookie-utf-16", files={"svc.py": b"# coding: utf-16\n" + USE.encode("utf-16")}, path="svc.py", rule=UNREAD
    ),
    Case(id="cookie-unknown", files={"svc.py": "# coding: nobody-knows\n" + USE}, path="svc.py", rule=UNREAD),
    Case(id="cookie-latin-1", files={"svc.py": b"# coding: latin-1\n# \xe9\nimport boto3\n"}, path="svc.py", line=3),
    Case(id="latin-1-without-cookie", files={"svc.py": b"# \xe9\nimport boto3\n"}, path="svc.py", line=2),
    Case(
        id="utf-16-little",
        files={"svc.ts": codecs.BOM_UTF16_LE + 'import "aws-sdk";\n'.encode("utf-16-le")},
        path="svc.ts",
    ),
    Case(
        id="utf-16-big",
        files={"svc.ts": codecs.BOM_UTF16_BE + 'import "aws-sdk";\n'.encode("utf-16-be")},
        path="svc.ts",
    ),
    Case(
        id="utf-16-without-mark",
        files={"Svc.java": "import com.amazonaws.auth.X;\nclass Svc {}\n".encode("utf-16-le")},
        path="Svc.java",
        rule=UNREAD,
    ),
    Case(id="byte-order-mark", files={"svc.py": codecs.BOM_UTF8 + b"import boto3\r\n"}, path="svc.py"),
    Case(
        id="mark-and-bare-cr", files={"svc.py": codecs.BOM_UTF8 + b"import os\rimport boto3\r"}, path="svc.py", line=2
    ),
    Case(id="many-bare-crs-before", files={"svc.py": b"x = 1\r" * 50 + b"\nimport boto3\n"}, path="svc.py", line=51),
    Case(
        id="bare-crs-in-javascript",
        files={"svc.js": b"let x = 1\r" * 50 + b'\nrequire("aws-sdk")\n'},
        path="svc.js",
        line=51,
    ),
    Case(id="bare-cr-ends-a-comment", files={"svc.py": b"# nothing here\rimport boto3\n"}, path="svc.py", line=2),
    Case(
        id="separator-ends-a-comment",
        files={"svc.js": '// nothing here\u2028require("aws-sdk")\n'},
        path="svc.js",
    ),
    Case(id="form-feed", files={"svc.py": "\fimport boto3\n"}, path="svc.py"),
    Case(id="form-feed-between-words", files={"svc.py": "import\fboto3\n"}, path="svc.py"),
    Case(id="javascript-escape", files={"svc.js": 'require("\\u0061ws-sdk");\n'}, path="svc.js"),
    Case(id="javascript-hex-escape", files={"svc.js": 'import "\\x61ws-sdk";\n'}, path="svc.js"),
    Case(id="javascript-long-escape", files={"svc.js": 'import "\\u{0061}ws-\\u{073}dk";\n'}, path="svc.js"),
    Case(
        id="javascript-escape-on-its-own-line",
        files={"svc.js": 'require(\n  "\\u0061ws-\\u0073dk"\n);\n'},
        path="svc.js",
    ),
    Case(id="javascript-line-continuation", files={"svc.js": 'require("aws-s\\\ndk");\n'}, path="svc.js"),
    Case(id="java-escape", files={"Svc.java": "import com.\\u0061mazonaws.auth.X;\nclass Svc {}\n"}, path="Svc.java"),
    Case(
        id="java-escaped-keyword",
        files={"Svc.java": "\\uuu0069mport com.\\u0061maz\\u006fnaws.auth.X;\nclass Svc {}\n"},
        path="Svc.java",
    ),
    Case(
        id="java-escaped-line-end",
        files={"Svc.java": "// nothing \\u000a import com.amazonaws.auth.X;\nclass Svc {}\n"},
        path="Svc.java",
    ),
    Case(
        id="go-escape",
        files={"svc.go": 'package svc\n\nimport "github.com/\\x61ws/\\u0061ws-sdk-go/\\141ws"\n'},
        path="svc.go",
        line=3,
    ),
    Case(
        id="python-escape-by-name",
        files={
            "svc.py": 'import importlib\nimportlib.import_module(\n    "\\x62\\157\\N{LATIN SMALL LETTER T}o3"\n)\n'
        },
        path="svc.py",
        rule="scan.dynamic",
        line=3,
    ),
    Case(
        id="invisible-character",
        files={"svc.ts": 'import { S3 } from\u00a0"aws-sdk";\n'},
        path="svc.ts",
    ),
]
