"""The words of the scan gate: what extractors hand to the matcher and the matcher to the policy.

file ─extract→ Statement ─match→ Use ─policy→ Finding
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Surface = Literal["python", "npm", "go", "java", "pypi", "maven", "command", "image", "action", "terraform", "scheme"]
"""The namespace a name belongs to.

python     a dotted module, `google.cloud.storage`
npm        a package specifier, `@aws-sdk/client-s3` or `@aws-sdk/client-s3/sub`
go         an import path or module path, `github.com/aws/aws-sdk-go-v2/service/s3`
java       a fully qualified name, `com.amazonaws.services.s3.AmazonS3` (Kotlin too)
pypi       a distribution's name as written, `Boto3`, `google-cloud-storage`
maven      `group:artifact`
command    a command line, its words joined by one space, `aws s3 cp`
image      an image reference, `public.ecr.aws/aws-cli/aws-cli:2`
action     `owner/repository[/path]` of a workflow's `uses:`
terraform  a provider's source, `hashicorp/aws`
scheme     a URL's scheme, `s3`
"""

Form = Literal[
    "import",
    "type-only",
    "reference",
    "dynamic",
    "mock",
    "embedded",
    "command",
    "manifest",
    "image",
    "action",
    "scheme",
]
"""How the name is used.

import     a static import (`import`, `from`, `require("literal")`, `export … from`)
type-only  a static import that exists for the type checker only
reference  a fully qualified name used without an import (Java, Kotlin)
dynamic    loaded by name at run time (`import_module("boto3")`, `Class.forName`, `find_spec`)
mock       named as a test double's target (`patch("boto3.client")`, `jest.mock("aws-sdk")`)
embedded   code inside a string (`python -c "import boto3"`, a heredoc, `exec`)
command    a provider's command-line tool called from code, a script, a workflow, a Dockerfile
manifest   declared as a dependency (direct)
image      a container image
action     a workflow's `uses:`
scheme     a URL literal; counts only beside a wrapper import in the same file
"""

Class = Literal["runtime", "type-only", "test", "dynamic", "embedded", "cli", "manifest", "image", "ci", "wrapper"]
"""What policy decides on."""

CLASSES: tuple[Class, ...] = get_args(Class)


@dataclass(frozen=True, slots=True)
class Statement:
    """One place in a file that names something which may belong to a provider.

    `line` is where the statement starts (from 1), `column` where it starts in that line (from 1, in characters).
    `text` is one line that says the same alone: for code surfaces a statement that the language's parser accepts
    (`from google import cloud`, `import "github.com/aws/x"`, `import "@aws-sdk/client-s3";`,
    `import com.amazonaws.X;`), whatever the source's form was; elsewhere the normalised source text, at most 200
    characters.
    """

    line: int
    column: int
    surface: Surface
    form: Form
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A part of a file that an extractor could not follow, so that nobody may call the file clean."""

    line: int
    why: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the catalogue, as a match gives it back."""

    provider: str
    surface: Surface
    literal: str
    """The catalogue's own spelling, e.g. `google.cloud` or `@aws-sdk`."""
    kind: Literal["sdk", "stub", "wrapper", "shared"]
    """sdk; stub: types only; wrapper: a library over an SDK; shared: counts only beside another hit of its provider."""
    service: str | None = None
    """The provider's service where the name tells it (`s3`), for the migration report."""


@dataclass(frozen=True, slots=True)
class Use:
    """One use of a provider's SDK."""

    path: str
    statement: Statement
    entry: Entry
    use_class: Class
