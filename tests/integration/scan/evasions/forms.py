"""Ways to write an import that line-based or parser-based tools lose."""

from __future__ import annotations

from tests.integration.scan.evasions.case import UNREAD, Case

DYNAMIC = "scan.dynamic"
EMBEDDED = "scan.embedded"
PYTHON = [
    Case(
        id="match-with-rest-pattern",
        files={"svc.py": "import boto3\n\ndef f(x):\n    match x:\n        case {**k}:\n            return k\n"},
        path="svc.py",
    ),
    Case(id="broken-elsewhere", files={"svc.py": "import boto3\nprint 'python 2'\ndef (:\n"}, path="svc.py"),
    Case(id="unclosed-bracket-before", files={"svc.py": "x = (1,\nimport boto3\n"}, path="svc.py", line=2),
    Case(
        id="unclosed-string-before",
        files={"svc.py": 'x = """\n\nimport boto3\n'},
        path="svc.py",
        rule="scan.not_analysed",
    ),
    Case(
        id="comment-that-ends-a-string",
        files={"svc.py": 'x = """\n#"""; import boto3\n'},
        path="svc.py",
        line=2,
    ),
    Case(id="lazy-import", files={"svc.py": "lazy import boto3\n"}, path="svc.py"),
    Case(id="lazy-from", files={"svc.py": "lazy from boto3 import client\n"}, path="svc.py"),
    Case(id="backslash-in-import", files={"svc.py": "import \\\n  boto3\n"}, path="svc.py"),
    Case(
        id="backslash-between-parts",
        files={"svc.py": "from google \\\n  . \\\n  cloud import storage\n"},
        path="svc.py",
    ),
    Case(id="spaces-around-dots", files={"svc.py": "import google . cloud . storage\n"}, path="svc.py"),
    Case(id="group-with-comment", files={"svc.py": "from google import (\n  # comment\n cloud)\n"}, path="svc.py"),
    Case(
        id="group-on-many-lines",
        files={"svc.py": "from google import (\n\n\n\n\n  auth,\n\n\n  cloud\n\n)\n"},
        path="svc.py",
    ),
    Case(id="semicolons", files={"svc.py": "x = 1; import os; import boto3; y = 2\n"}, path="svc.py"),
    Case(id="behind-a-colon", files={"svc.py": "if True: import boto3\n"}, path="svc.py"),
    Case(
        id="in-an-except-branch",
        files={"svc.py": "try: import json\nexcept ImportError: import boto3\n"},
        path="svc.py",
        line=2,
    ),
    Case(id="alias", files={"svc.py": "import boto3 as requests\n"}, path="svc.py"),
    Case(id="star", files={"svc.py": "from boto3 import *\n"}, path="svc.py"),
    Case(id="in-a-string-that-is-code", files={"svc.py": 'exec("import boto3")\n'}, path="svc.py", rule=EMBEDDED),
    Case(id="in-a-split-keyword", files={"svc.py": 'exec("imp"+"ort boto3")\n'}, path="svc.py", rule=EMBEDDED),
    Case(id="in-a-split-name", files={"svc.py": '__import__("bo"+"to3")\n'}, path="svc.py", rule=DYNAMIC),
    Case(id="in-adjacent-strings", files={"svc.py": '__import__("bo" "to3")\n'}, path="svc.py", rule=DYNAMIC),
    Case(
        id="by-a-constant",
        files={"svc.py": 'import importlib\nNAME = "boto3"\nimportlib.import_module(NAME)\n'},
        path="svc.py",
        rule=DYNAMIC,
        line=3,
    ),
    Case(
        id="by-a-constant-split",
        files={"svc.py": 'import importlib\nimportlib.import_module("boto" + "3")\n'},
        path="svc.py",
        rule=DYNAMIC,
        line=2,
    ),
    Case(
        id="by-a-formatted-name",
        files={"svc.py": 'import importlib\nimportlib.import_module(f"google.cloud.{x}")\n'},
        path="svc.py",
        rule=DYNAMIC,
        line=2,
    ),
    Case(
        id="in-a-field-of-a-string",
        files={"svc.py": "x = f\"{__import__('boto3')}\"\n"},
        path="svc.py",
        rule=DYNAMIC,
    ),
    Case(
        id="loader-renamed",
        files={"svc.py": 'from importlib import import_module as load\nload("boto3")\n'},
        path="svc.py",
        rule=DYNAMIC,
        line=2,
    ),
    Case(
        id="loader-by-getattr",
        files={"svc.py": 'import importlib\ngetattr(importlib, "import_module")("boto3")\n'},
        path="svc.py",
        rule=DYNAMIC,
        line=2,
    ),
    Case(
        id="builtin-by-subscript",
        files={"svc.py": '__builtins__["__import__"]("boto3")\n'},
        path="svc.py",
        rule=DYNAMIC,
    ),
    *(
        Case(id=f"loader-{name}", files={"svc.py": f"import x\n{call}\n"}, path="svc.py", rule=DYNAMIC, line=2)
        for name, call in (
            ("of-pkgutil", 'pkgutil.get_loader("boto3").load_module("boto3")'),
            ("of-imp", 'imp.load_module("boto3", *imp.find_module("boto3"))'),
            ("of-pydoc", 'pydoc.locate("boto3.client")'),
            ("as-main", 'runpy._run_module_as_main("awscli")'),
            ("that-is-lazy", 'LazyLoader("s", globals(), "boto3")'),
        )
    ),
    Case(
        id="by-a-constant-in-a-script-without-an-ending",
        files={"bin/tool": '#!/usr/bin/env python3\nimport importlib\nM = "boto3"\nimportlib.import_module(M)\n'},
        path="bin/tool",
        rule=DYNAMIC,
        line=4,
    ),
    Case(
        id="by-a-constant-in-a-notebook",
        files={
            "n.ipynb": '{"cells": [{"cell_type": "code", "source": ["import importlib\\n",\n"M = \\"boto3\\"\\n",\n'
            '"importlib.import_module(M)"]}], "metadata": {}, "nbformat": 4}'
        },
        path="n.ipynb",
        rule=UNREAD,
        line=2,
    ),
    Case(
        id="by-a-constant-in-a-workflow",
        files={"Snakefile": 'import importlib\nM = "boto3"\nrule a:\n    run: importlib.import_module(M)\n'},
        path="Snakefile",
        rule=UNREAD,
        line=2,
    ),
    Case(
        id="by-an-entry-of-a-table",
        files={"svc.py": 'import importlib\nP = {"x": "boto3"}\nimportlib.import_module(P["x"])\n'},
        path="svc.py",
        rule=UNREAD,
        line=2,
    ),
    Case(
        id="by-a-default-argument",
        files={"svc.py": 'def f(m="boto3"):\n    return __import__(m)\n'},
        path="svc.py",
        rule=UNREAD,
    ),
    Case(
        id="by-a-loop",
        files={"svc.py": 'for m in ("os", "boto3"):\n    __import__(m)\n'},
        path="svc.py",
        rule=UNREAD,
    ),
    Case(id="by-a-format", files={"svc.py": '__import__("%s" % "boto3")\n'}, path="svc.py", rule=UNREAD),
    Case(id="by-a-map", files={"svc.py": 'list(map(__import__, ["boto3"]))\n'}, path="svc.py", rule=UNREAD),
    Case(id="by-an-assignment", files={"svc.py": '(m := __import__)("boto3")\n'}, path="svc.py", rule=UNREAD),
    Case(
        id="require-by-an-entry-of-a-table",
        files={"svc.js": 'const m = {a: "aws-sdk"};\nrequire(m.a);\n'},
        path="svc.js",
        rule=UNREAD,
    ),
    Case(
        id="in-a-mock-of-tests-folder",
        files={"tests/test_x.py": 'from unittest.mock import patch\n\n@patch("boto3.client")\ndef test(): ...\n'},
        path="tests/test_x.py",
        rule="scan.test",
        line=3,
    ),
    Case(
        id="type-checking-only",
        files={"svc.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import boto3\n"},
        path="svc.py",
        rule="scan.type_only",
        line=3,
    ),
    Case(
        id="type-checking-that-is-not",
        files={"svc.py": "TYPE_CHECKING = True\nif TYPE_CHECKING or x:\n    import boto3\n"},
        path="svc.py",
        rule="scan.runtime",
        line=3,
    ),
    Case(
        id="type-checking-else",
        files={"svc.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    x = 1\nelse:\n    import boto3\n"},
        path="svc.py",
        rule="scan.runtime",
        line=5,
    ),
]
JAVASCRIPT = [
    Case(id="template-literal", files={"svc.js": "require(`aws-sdk`);\n"}, path="svc.js"),
    Case(id="require-concatenation", files={"svc.js": 'require("aws"+"-sdk");\n'}, path="svc.js", rule=DYNAMIC),
    Case(
        id="comment-within-require", files={"svc.js": 'require /* x */ ( /* y */ "aws-sdk" // z\n);\n'}, path="svc.js"
    ),
    Case(
        id="create-require",
        files={
            "svc.mjs": 'import { createRequire as make } from "module";\nconst load = make(import.meta.url);\n'
            'load("aws-sdk");\n'
        },
        path="svc.mjs",
        line=3,
    ),
    Case(id="literal-within-a-template", files={"svc.js": 'require(`aws-${"sdk"}`);\n'}, path="svc.js", rule=DYNAMIC),
    Case(
        id="worker-from-a-server",
        files={"svc.js": 'importScripts("https://sdk.amazonaws.com/js/aws-sdk-2.1.0.min.js");\n'},
        path="svc.js",
        rule=DYNAMIC,
    ),
    Case(
        id="page-from-a-server",
        files={"index.html": '<!doctype html>\n<script src="//sdk.amazonaws.com/js/aws-sdk-2.1.0.min.js"></script>\n'},
        path="index.html",
        line=2,
    ),
    Case(
        id="page-with-a-module",
        files={"index.html": '<script type="module">\nimport "https://esm.sh/@aws-sdk/client-s3";\n</script>\n'},
        path="index.html",
        line=2,
    ),
    Case(id="module-require", files={"svc.js": 'module.require("aws-sdk");\n'}, path="svc.js"),
    Case(id="dynamic-import", files={"svc.ts": 'const x = await import("@aws-sdk/client-s3");\n'}, path="svc.ts"),
    Case(
        id="import-by-a-constant",
        files={"svc.js": 'const M = "aws-sdk";\nrequire(M);\n'},
        path="svc.js",
        rule=DYNAMIC,
        line=2,
    ),
    Case(
        id="import-by-a-constant-in-a-script-without-an-ending",
        files={"bin/tool": '#!/usr/bin/env node\nconst M = "aws-sdk";\nrequire(M);\n'},
        path="bin/tool",
        rule=DYNAMIC,
        line=3,
    ),
    Case(
        id="import-by-a-constant-in-a-component",
        files={"Svc.vue": '<script>\nconst M = "aws-sdk";\nimport(M);\n</script>\n'},
        path="Svc.vue",
        rule=UNREAD,
        line=2,
    ),
    Case(
        id="import-by-a-constant-in-a-page",
        files={"index.html": '<script type="module">\nconst M = "@aws-sdk/client-s3";\nimport(M);\n</script>\n'},
        path="index.html",
        rule=UNREAD,
        line=2,
    ),
    Case(id="export-from", files={"svc.ts": 'export * from "@aws-sdk/client-s3";\n'}, path="svc.ts"),
    Case(
        id="import-on-many-lines",
        files={"svc.ts": 'import {\n  S3,\n  // x\n  S3Client\n}\nfrom\n"@aws-sdk/client-s3"\n'},
        path="svc.ts",
    ),
    Case(
        id="json-import",
        files={"svc.mjs": 'import x from "aws-sdk/package.json" with { type: "json" };\n'},
        path="svc.mjs",
    ),
    Case(id="npm-url", files={"svc.ts": 'import s3 from "npm:@aws-sdk/client-s3@3";\n'}, path="svc.ts"),
    Case(id="regex-with-quote-before", files={"svc.js": 'const r = /["\'`]/; require("aws-sdk");\n'}, path="svc.js"),
    Case(
        id="code-within-a-template",
        files={"svc.js": 'const s = `${require("aws-sdk")}`;\n'},
        path="svc.js",
    ),
    Case(
        id="npm-alias",
        files={"package.json": '{"dependencies": {"s3": "npm:@aws-sdk/client-s3@3"}}\n'},
        path="package.json",
        rule="scan.manifest",
    ),
    Case(
        id="component-file", files={"Svc.vue": '<script setup>\nimport "aws-sdk"\n</script>\n'}, path="Svc.vue", line=2
    ),
]
GO_AND_JAVA = [
    Case(
        id="go-raw-string",
        files={"svc.go": "package svc\n\nimport `github.com/aws/aws-sdk-go/aws`\n"},
        path="svc.go",
        line=3,
    ),
    Case(
        id="go-dot-import",
        files={"svc.go": 'package svc\n\nimport . "github.com/aws/aws-sdk-go/aws"\n'},
        path="svc.go",
        line=3,
    ),
    Case(
        id="go-behind-a-cgo-preamble",
        files={
            "svc.go": 'package svc\n\n/*\n#include "x.h"\n"\n`\n*/\nimport "C"\nimport (\n\t"fmt"; aws'
            ' /* x */ "github.com/aws/aws-sdk-go/aws"\n)\n'
        },
        path="svc.go",
        line=10,
    ),
    Case(
        id="go-build-constraint",
        files={"svc_plan9.go": '//go:build ignore\n\npackage svc\n\nimport _ "github.com/aws/aws-sdk-go/aws"\n'},
        path="svc_plan9.go",
        line=5,
    ),
    Case(
        id="java-name-over-lines",
        files={"Svc.java": "class Svc {\n  Object x = new com . /* a */\n    amazonaws // b\n    .auth.X();\n}\n"},
        path="Svc.java",
        line=2,
    ),
    Case(
        id="java-class-for-name",
        files={"Svc.java": 'class Svc {\n  Object x = Class.forName("com.amazon" + "aws.auth.X");\n}\n'},
        path="Svc.java",
        rule=DYNAMIC,
        line=2,
    ),
    Case(
        id="java-static-star",
        files={"Svc.java": "import static com.amazonaws.auth.X.*;\nclass Svc {}\n"},
        path="Svc.java",
    ),
    Case(id="kotlin-backticks", files={"Svc.kt": "import com.`amazonaws`.auth.X as Y\n"}, path="Svc.kt"),
]
CASES = [*PYTHON, *JAVASCRIPT, *GO_AND_JAVA]
