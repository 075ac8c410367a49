from __future__ import annotations

import os
from pathlib import Path

from aegis.startup import surroundings

POISON = {
    "UV_INDEX_URL": "http://evil.example",
    "UV_PYTHON": "/evil/python",
    "PIP_INDEX_URL": "http://evil.example",
    "PIP_CONFIG_FILE": "/evil/pip.conf",
    "PYTHONPATH": "/evil",
    "PYTHONSTARTUP": "/evil/x.py",
    "VIRTUAL_ENV": "/evil/venv",
    "SEMGREP_RULES": "/evil/rules",
    "AEGIS_SEMGREP_CORE": "/evil/semgrep",
    "AEGIS_DATA": "/evil/data",
    "PGHOSTADDR": "192.0.2.66",
    "PGOPTIONS": "-c search_path=evil",
    "PGSERVICEFILE": "/evil/service",
}
NEEDED = {
    "PATH": "/usr/bin",
    "HOME": "/home/runner",
    "RUNNER_TEMP": "/tmp/r",
    "HTTPS_PROXY": "http://proxy.example",
    "no_proxy": "localhost",
    "SSL_CERT_FILE": "/etc/ca.pem",
}
OF_THE_JOB = {
    "GITHUB_TOKEN": "secret",
    "AEGIS_INPUT_GITHUB_TOKEN": "secret",
    "AEGIS_INPUT_PATH": ".",
    "AEGIS_DATABASE_URL": "secret",
    "AEGIS_AGE_IDENTITY": "secret",
}


def test_installers_see_what_they_need_and_no_more() -> None:
    seen = surroundings.for_installers(NEEDED | OF_THE_JOB | POISON)
    assert seen == NEEDED | {"PIP_CONFIG_FILE": os.devnull}


def test_the_index_is_told_to_both_installers_by_the_environment() -> None:
    url = "https://bob:hunter2@index.example/simple"
    seen = surroundings.for_installers({"AEGIS_INPUT_INDEX_URL": url} | POISON)
    assert seen["PIP_INDEX_URL"] == seen["UV_DEFAULT_INDEX"] == url


def test_a_gate_sees_the_job_without_what_would_bend_it() -> None:
    assert surroundings.for_gates(NEEDED | OF_THE_JOB | POISON) == NEEDED | OF_THE_JOB


def test_environments_stand_in_the_jobs_folder_on_a_runner_and_in_the_users_cache_elsewhere() -> None:
    assert surroundings.cache_folder({"RUNNER_TEMP": "/r", "XDG_CACHE_HOME": "/x"}) == Path("/r/aegis")
    assert surroundings.cache_folder({"XDG_CACHE_HOME": "/x"}) == Path("/x/aegis")
    assert surroundings.cache_folder({}) == Path.home() / ".cache" / "aegis"
