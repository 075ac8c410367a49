from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.acceptance.surroundings import given as given_to
from aegis.acceptance.surroundings import looks_secret, masked, secrets_of


@pytest.mark.parametrize(
    "name",
    [
        "GITHUB_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "AWS_SECRET_ACCESS_KEY", "PGPASSWORD", "COSIGN_PASSWORD",
        "db_password", "TF_VAR_db_password", "KUBECONFIG", "AEGIS_KUBECONFIG", "DATABASE_URL", "AEGIS_STATE_KEY",
        "SSH_KEY", "API_KEYS", "SENTRY_DSN", "AWS_SESSION_TOKEN", "NPM_PAT", "SESSION_COOKIE", "PGPASSFILE",
    ],
)  # fmt: skip
def test_names_of_secrets(name: str) -> None:
    assert looks_secret(name)


@pytest.mark.parametrize(
    "name", ["PATH", "HOME", "PYTHONPATH", "LANG", "TMPDIR", "KEYBOARD", "PATTERN", "MONKEY", "UV_CACHE_DIR", "GOPROXY"]
)
def test_names_of_none(name: str) -> None:
    assert not looks_secret(name)


def test_secrets_are_given_only_where_the_catalogue_names_them() -> None:
    environ = {"PATH": "/bin", "SHOP_TOKEN": "hunter2", "OTHER_TOKEN": "hunter3"}
    assert given_to(environ, ["SHOP_TOKEN"]) == {"PATH": "/bin", "SHOP_TOKEN": "hunter2"}


def test_what_is_struck_out() -> None:
    environ = {
        "A_TOKEN": "hunter2",
        "B_TOKEN": "hunter2-and-more",
        "PROXY": "http://proxy:pass%40word@host:3128",
        "MODEL": "shop",
        "C_KEY": "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA\n-----END PRIVATE KEY-----\n",
        "D_PASS": "abc",
    }
    secrets = secrets_of(environ)
    said = b"hunter2-and-more hunter2 pass@word pass%40word shop abc MC4CAQAwBQYDK2VwBCIEIA -----BEGIN PRIVATE KEY-----"
    assert masked(said, secrets) == b"*** *** *** *** shop abc *** -----BEGIN PRIVATE KEY-----"


def test_a_variable_that_is_given_is_struck_out_whatever_it_is_called() -> None:
    assert masked(b"hunter2", secrets_of({"STAGING": "hunter2"}, ["STAGING"])) == b"***"


@given(st.lists(st.text("ab/@%", min_size=4, max_size=8), min_size=1, max_size=4), st.data())
@settings(max_examples=200, deadline=None)
def test_no_secret_stays(values: list[str], data: st.DataObject) -> None:
    environ = {f"N{number}_TOKEN": value for number, value in enumerate(values)}
    said = "".join(data.draw(st.lists(st.sampled_from([*values, " ", "x"]), max_size=10))).encode()
    left = masked(said, secrets_of(environ))
    assert not [value for value in values if value.encode() in left]
