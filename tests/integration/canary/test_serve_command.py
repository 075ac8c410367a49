"""`aegis canary serve` as a process, asked as Argo Rollouts asks, over a server that speaks Prometheus's API."""

from __future__ import annotations

import fcntl
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aegis.cli.canary.serving import TOLD_AGAIN
from tests.integration.cli.command import aegis
from tests.support.canary.canary_server import Shop, shop
from tests.support.canary.judging import UID, Service, judge, parsed, question
from tests.support.network.tls import loopback

TOKEN = "a-token-of-sixteen-characters"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Shop]:
    with shop(tmp_path / "repository") as made:
        made.policy()
        yield made


@pytest.fixture
def served(service: Shop, tmp_path: Path) -> Iterator[Service]:
    with judge(tmp_path / "states", service.folder / "aegis.yml") as made:
        yield made


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Shop, Service, Path]]:
    """A judge that is never asked what it can answer, with its shop and its folder."""
    folder = tmp_path_factory.mktemp("refusing")
    with shop(folder / "repository") as made:
        made.policy()
        with judge(folder / "states", made.folder / "aegis.yml") as served:
            yield made, served, folder / "states"


def until_decided(service: Shop, served: Service, revision: int = 2, *, step: str = "1") -> dict[str, Any]:
    for _ in range(62):
        service.live()
        said = served.ask(revision, step=step)
        assert said.status == 200
        if said.document["verdict"] != "continue":
            return said.document
        assert said.document["reason"] in {"canary.undecided", "canary.no_data"}
    raise AssertionError("no decision")


def test_a_worse_canary_is_to_be_aborted_and_the_answer_says_why(service: Shop, served: Service) -> None:
    service.errors = 0.04
    told = until_decided(service, served)
    assert (told["verdict"], told["reason"]) == ("abort", "canary.worse")
    assert told["findings"][0].startswith("canary.worse: http: worse than stable; canary ")
    assert told["rollout"] == "shop/web: new over old"
    assert told["harm"] >= told["aborts_at"]
    assert told["metrics"][0]["metric"] == "http"


def test_a_good_canary_may_go_on_and_the_metrics_say_so(service: Shop, served: Service) -> None:
    told = until_decided(service, served)
    assert (told["verdict"], told["reason"]) == ("promote", "canary.not_worse")
    metrics = served.get("/metrics").body.decode()
    assert 'aegis_canary_verdict{rollout_namespace="shop",rollout="web",verdict="promote"} 1\n' in metrics
    assert 'aegis_canary_verdict{rollout_namespace="shop",rollout="web",verdict="abort"} 0\n' in metrics
    assert 'aegis_canary_revision{rollout_namespace="shop",rollout="web"} 2\n' in metrics
    assert 'aegis_canary_unseen{rollout_namespace="shop",rollout="web"} 0\n' in metrics
    assert 'aegis_canary_answers_total{rollout_namespace="shop",rollout="web",verdict="promote"} 1\n' in metrics


def test_a_verdict_stands_for_its_revision_and_after_a_restart(service: Shop, served: Service, tmp_path: Path) -> None:
    service.errors = 0.04
    assert until_decided(service, served)["verdict"] == "abort"
    assert served.end()[0] == 0
    service.errors = 0.0
    with judge(tmp_path / "states", service.folder / "aegis.yml") as again:
        service.live(600)
        assert again.ask().document["verdict"] == "abort"  # the version is retried
        assert again.ask(3).document["verdict"] == "continue"  # it comes back as a new revision
        assert until_decided(service, again, 3)["verdict"] == "promote"
        assert again.ask().document["verdict"] == "abort"
        made_anew = again.ask(uid=UID.replace("0f", "1f"))
        assert made_anew.document["verdict"] == "continue"


def test_each_step_is_judged_by_what_is_seen_at_it(service: Shop, served: Service) -> None:
    assert until_decided(service, served)["verdict"] == "promote"
    service.errors = 0.04  # only with more of the traffic
    later = served.ask(step="3").document
    assert (later["verdict"], later["reason"]) == ("continue", "canary.undecided")
    assert served.ask().document["verdict"] == "promote"
    assert until_decided(service, served, step="3")["verdict"] == "abort"


def test_what_was_promoted_long_ago_is_judged_anew_where_it_is_retried(
    service: Shop, served: Service, tmp_path: Path
) -> None:
    assert until_decided(service, served)["verdict"] == "promote"
    looked = service.looked
    assert served.ask().document["verdict"] == "promote"  # the answer got lost
    assert service.looked == looked
    service.errors = 0.04
    state = tmp_path / "states" / f"{UID}-2-1.json"
    kept = json.loads(state.read_bytes())
    state.write_text(json.dumps(kept | {"looked": kept["looked"] - TOLD_AGAIN - 1}))
    later = served.ask().document
    assert (later["verdict"], later["reason"]) == ("continue", "canary.undecided")
    assert until_decided(service, served)["verdict"] == "abort"


def test_what_one_step_found_worse_is_aborted_at_every_other_one(service: Shop, served: Service) -> None:
    assert until_decided(service, served)["verdict"] == "promote"
    service.errors = 0.04
    assert until_decided(service, served, step="3")["verdict"] == "abort"
    service.errors = 0.0
    looked = service.looked
    for step in ("1", "3", "5"):  # it is retried, with other steps perhaps
        told = served.ask(step=step).document
        assert (told["verdict"], told["reason"]) == ("abort", "canary.worse")
    assert service.looked == looked
    assert served.ask(3).document["verdict"] == "continue"  # it comes back as a new revision


def test_another_version_under_the_same_revision_is_no_verdict(service: Shop, served: Service) -> None:
    service.live()
    assert served.ask().status == 200
    said = served.ask(canary="newer")
    assert (said.status, said.document["code"]) == (503, "canary.state_other")
    assert "verdict" not in said.document


def test_a_prometheus_that_is_down_is_no_pass_and_no_abort(service: Shop, served: Service) -> None:
    service.live()
    assert served.ask().document["verdict"] == "continue"
    service.down = True
    said = served.ask()
    assert (said.status, said.document["verdict"]) == (200, "continue")
    assert said.document["reason"] == "canary.prometheus_unavailable"
    assert 'aegis_canary_unseen{rollout_namespace="shop",rollout="web"} 1\n' in served.get("/metrics").body.decode()
    assert served.get("/readyz").status == 200  # it can still say so
    service.down = False
    service.live()
    assert served.ask().document["reason"] == "canary.undecided"


def test_a_state_that_is_damaged_is_no_verdict(service: Shop, served: Service, tmp_path: Path) -> None:
    service.live()
    served.ask()
    (tmp_path / "states" / f"{UID}-2-1.json").write_text("{}")
    said = served.ask()
    assert (said.status, said.document["code"]) == (503, "canary.state_invalid")
    assert 'aegis_canary_errors_total{code="canary.state_invalid"} 1\n' in served.get("/metrics").body.decode()


def test_two_judges_on_one_folder_do_not_judge_at_once(service: Shop, served: Service, tmp_path: Path) -> None:
    service.live()
    served.ask()
    with (tmp_path / "states" / f"{UID}-2-1.json.lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        said = served.ask()
    assert (said.status, said.document["code"]) == (503, "canary.state_busy")
    assert served.ask().status == 200


@pytest.mark.parametrize(
    ("target", "status", "code"),
    [
        ("/", 404, "canary.question_unknown"),
        ("/v1/rollouts/shop", 404, "canary.question_unknown"),
        (question(rollout="shop/other"), 404, "canary.question_unknown"),
        (question(rollout="other/web"), 404, "canary.question_unknown"),
        (question(rollout="shop/web/../web"), 404, "canary.question_unknown"),
        (question(rollout="shop/%77eb"), 400, "canary.question_invalid"),
        (question(uid=""), 400, "canary.question_invalid"),
        (question(uid="..%2F..%2Fetc"), 400, "canary.question_invalid"),
        (question(uid=UID.upper()), 400, "canary.question_invalid"),
        (question(0), 400, "canary.question_invalid"),
        (question(None), 400, "canary.question_invalid"),
        (question(step=""), 400, "canary.question_invalid"),
        (question(step="*"), 400, "canary.question_invalid"),
        (question(step="01"), 400, "canary.question_invalid"),
        (question(canary=""), 400, "canary.question_invalid"),
        (question(stable=""), 400, "canary.question_invalid"),
        (question(canary="old"), 400, "canary.question_invalid"),
        (question(canary="new|old"), 400, "canary.question_invalid"),
        (question(canary="ne%0Aw"), 400, "canary.question_invalid"),
        (question(weight="100"), 400, "canary.question_invalid"),
        (question(weight="nan"), 400, "canary.question_invalid"),
        (question(weight="0"), 400, "canary.question_invalid"),
        (question(alpha="0.2"), 400, "canary.question_invalid"),
        (question() + "&canary=newer", 400, "canary.question_invalid"),
        (question() + "&", 400, "canary.question_invalid"),
        (question() + "&" + "&".join(f"a{number}=1" for number in range(20)), 400, "canary.question_invalid"),
        (question() + "&canary", 400, "canary.question_invalid"),
        (question() + "#x", 400, "canary.question_invalid"),
    ],
)
def test_what_is_no_question_is_no_verdict(
    refusing: tuple[Shop, Service, Path], target: str, status: int, code: str
) -> None:
    service, served, states = refusing
    said = served.get(target)
    assert (said.status, said.document["code"]) == (status, code)
    assert "verdict" not in said.document
    assert list(states.iterdir()) == []
    assert service.looked == 0


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"POST /healthz HTTP/1.1\r\nHost: j\r\n\r\n", 405),
        (b"GET /healthz HTTP/2.0\r\nHost: j\r\n\r\n", 400),
        (b"GET http://j/healthz HTTP/1.1\r\nHost: j\r\n\r\n", 400),
        (b"GET /healthz\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\nHost: j\r\n folded: x\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\nHost : j\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\nHost: j\nX: y\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\nHost: j\r\nHost: k\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", 400),
        (b"GET /healthz HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"GET /healthz?" + b"a" * 9000 + b" HTTP/1.1\r\nHost: j\r\n\r\n", 431),
    ],
)
def test_a_request_that_is_none_is_refused(refusing: tuple[Shop, Service, Path], request_: bytes, status: int) -> None:
    _, served, _ = refusing
    said = parsed(served.raw(request_))
    assert (said.status, said.document["code"]) == (status, "canary.question_invalid")
    assert served.get("/healthz").status == 200


def test_whoever_says_nothing_is_let_go_and_others_are_answered_meanwhile(service: Shop, served: Service) -> None:
    service.live()
    with socket.create_connection(("127.0.0.1", served.port), timeout=60) as silent:
        silent.sendall(b"GET /healthz HTTP/1.1\r\nHost:")
        assert served.ask().status == 200
        assert silent.recv(1) == b""


def test_a_token_is_asked_for_and_stands_nowhere(service: Shop, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    with judge(tmp_path / "states", service.folder / "aegis.yml", "--token-file", str(file)) as served:
        service.live()
        for headers in ([], [f"Authorization: Bearer {TOKEN}x"], [f"Authorization: Basic {TOKEN}"], ["Authorization:"]):
            said = served.ask(2, *headers)
            assert (said.status, said.document["code"]) == (401, "canary.question_denied")
            assert said.headers["www-authenticate"] == "Bearer"
            assert TOKEN not in said.body.decode()
        assert list((tmp_path / "states").iterdir()) == []
        assert served.ask(2, f"Authorization: Bearer {TOKEN}").status == 200
        assert served.get("/healthz").status == 200  # a kubelet has none
        file.write_text("another-token-of-a-secret")  # it is renewed
        assert served.ask(2, f"Authorization: Bearer {TOKEN}").status == 401
        assert served.ask(2, "Authorization: bearer another-token-of-a-secret").status == 200
        file.write_text("")
        assert served.ask(2, "Authorization: Bearer ").document["code"] == "canary.token_missing"
        _, out, err = served.end()
    assert TOKEN not in out + err


def test_a_secret_of_prometheus_stands_in_no_answer(service: Shop, tmp_path: Path) -> None:
    service.policy(prometheus=", bearer-env: PROMETHEUS_TOKEN")
    secret = "prometheus-secret-0123456789"
    policy = service.folder / "aegis.yml"
    with judge(tmp_path / "states", policy, PROMETHEUS_TOKEN=secret) as served:
        service.live()
        said = served.ask()
        assert said.status == 200
        service.down = True
        texts = [said.body, served.ask().body, served.get("/metrics").body]
        _, out, err = served.end()
    assert secret not in b"".join(texts).decode() + out + err


def test_the_end_is_asked_for_by_a_signal(served: Service) -> None:
    code, _, err = served.end()
    assert (code, err) == (0, "")


def test_answers_are_json_that_is_not_kept(service: Shop, served: Service) -> None:
    service.live()
    said = served.ask()
    assert said.headers["cache-control"] == "no-store"
    assert len(said.body) < 4096
    assert json.loads(said.body)["metrics"]
    assert re.fullmatch(r"[\x20-\x7e]*\n", said.body.decode())


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--port", "66000"), 2, ("core.wrong_usage", "66000")),
        (("--host", "192.0.2.1"), 2, ("canary.listen_refused", "192.0.2.1")),
        (("--host", "no.such.host.invalid"), 2, ("canary.listen_refused",)),
        (("--tls-cert", "aegis.yml"), 2, ("core.wrong_usage", "--tls-key")),
        (("--tls-cert", "aegis.yml", "--tls-key", "aegis.yml"), 2, ("canary.listen_refused", "aegis.yml")),
        (("--tls-cert", "none.pem", "--tls-key", "none.pem"), 2, ("canary.listen_refused", "none.pem")),
        (("--token-file", "none"), 2, ("canary.token_missing", "none")),
        (("--policy", "none.yml"), 2, ("core.wrong_usage", "none.yml")),
        (("--policy", "aegis.yml", "--policy", "aegis.yml"), 2, ("core.wrong_usage", "shop/web")),
        (("--state", "aegis.yml"), 3, ("core.output_unwritable", "aegis.yml")),
    ],
)
def test_what_it_cannot_start_with(
    service: Shop, arguments: tuple[str, ...], code: int, words: tuple[str, ...]
) -> None:
    given = arguments if "--state" in arguments else ("--state", "states", *arguments)
    given = given if "--port" in arguments else ("--port", "0", *given)
    aegis("canary", "serve", *given, cwd=service.folder).refused(code, *words)


def test_credentials_that_are_missing_are_told_at_the_start(service: Shop) -> None:
    service.policy(prometheus=", bearer-env: PROMETHEUS_TOKEN")
    done = aegis("canary", "serve", "--state", "states", "--port", "0", cwd=service.folder)
    done.refused(2, "canary.token_missing", "PROMETHEUS_TOKEN")


def test_a_policy_that_only_observes_is_not_served(service: Shop) -> None:
    policy = (service.folder / "aegis.yml").read_text()
    (service.folder / "aegis.yml").write_text(
        policy.replace("version: 1\n", "version: 1\nmode: observe until 2099-01-01\n")
    )
    done = aegis("canary", "serve", "--state", "states", "--port", "0", cwd=service.folder)
    done.refused(2, "canary.not_served", "observe until 2099-01-01")


def test_steps_that_the_judge_does_not_see_are_not_served(service: Shop) -> None:
    service.policy("  promote: steps\n")
    done = aegis("canary", "serve", "--state", "states", "--port", "0", cwd=service.folder)
    done.refused(2, "canary.not_served", "promote: steps")


def test_verdicts_that_are_demanded_are_not_forgotten(service: Shop) -> None:
    requires = """  requires:
    source: verdicts/
    signers:
      - key: cosign.pub
"""
    service.policy(requires)
    done = aegis("canary", "serve", "--state", "states", "--port", "0", cwd=service.folder)
    done.refused(2, "canary.not_served", "canary.requires")


def test_over_tls_it_is_known_by_its_certificate(service: Shop, tmp_path: Path) -> None:
    authority, _ = loopback(tmp_path)
    files = ("--tls-cert", str(tmp_path / "server.pem"), "--tls-key", str(tmp_path / "server.key"))
    with judge(tmp_path / "states", service.folder / "aegis.yml", *files, authority=authority) as served:
        assert served.url.startswith("https://127.0.0.1:")
        service.live()
        assert served.ask().document["verdict"] == "continue"
        with socket.create_connection(("127.0.0.1", served.port), timeout=60) as plain:
            plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: judge\r\n\r\n")
            assert not plain.recv(100).startswith(b"HTTP/")
        assert served.get("/healthz").status == 200
        code, _, err = served.end()
    assert code == 0
    assert "Traceback" not in err


def test_one_judge_for_several_rollouts_keeps_them_apart(service: Shop, tmp_path: Path) -> None:
    other = service.folder / "other.yml"
    other.write_text((service.folder / "aegis.yml").read_text().replace("name: web", "name: other"))
    with judge(tmp_path / "states", service.folder / "aegis.yml", "--policy", str(other)) as served:
        service.errors = 0.04
        assert until_decided(service, served)["verdict"] == "abort"
        told = served.ask(rollout="shop/other", uid=UID.replace("0f", "2f")).document
        assert (told["verdict"], told["rollout"]) == ("continue", "shop/other: new over old")
        metrics = served.get("/metrics").body.decode()
    assert 'aegis_canary_verdict{rollout_namespace="shop",rollout="web",verdict="abort"} 1\n' in metrics
    assert 'aegis_canary_verdict{rollout_namespace="shop",rollout="other",verdict="abort"} 0\n' in metrics


def test_one_rollouts_state_is_no_others(service: Shop, tmp_path: Path) -> None:
    other = service.folder / "other.yml"
    other.write_text((service.folder / "aegis.yml").read_text().replace("name: web", "name: other"))
    with judge(tmp_path / "states", service.folder / "aegis.yml", "--policy", str(other)) as served:
        service.live()
        assert served.ask().status == 200
        said = served.ask(rollout="shop/other")  # with the other one's UID
        assert (said.status, said.document["code"]) == (503, "canary.state_other")
