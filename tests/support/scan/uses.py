"""Uses for tests of what happens to them."""

from __future__ import annotations

from hypothesis import strategies as st

from aegis.gates.scan.model import CLASSES, Class, Entry, Form, Statement, Surface, Use


def use(
    path: str = "a.py",
    text: str = "import boto3",
    *,
    line: int = 1,
    column: int = 1,
    provider: str = "aws",
    use_class: Class = "runtime",
    surface: Surface = "python",
    form: Form = "import",
    name: str = "boto3",
) -> Use:
    """One use; what a test does not name is ordinary."""
    statement = Statement(line=line, column=column, surface=surface, form=form, name=name, text=text)
    return Use(path, statement, Entry(provider, surface, name, "sdk"), use_class)


uses = st.builds(
    use,
    path=st.sampled_from(["a.py", "b.py", "c/d.py"]),
    text=st.sampled_from(["import boto3", "import botocore", "from boto3 import s3"]),
    line=st.integers(1, 30),
    provider=st.sampled_from(["aws", "gcp"]),
    use_class=st.sampled_from(CLASSES[:3]),
)
"""Few different ones, so that equal ones are common."""
