"""The command as a program, on repositories whose probes do what each test says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from aegis.cli.acceptance import probes
from aegis.cli.interruption import Stopped
from aegis.cli.main import main
from tests.integration.acceptance.conftest import Acceptance, environment
from tests.support.acceptance.repository import GOOD, SEEN, Criteria, aegis

WAIT = """import time; time.sleep(600)"""


def result(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "acceptance.json").read_bytes())
    return found


def status(folder: Path) -> dict[str, tuple[str, str]]:
    return {one["id"]: (one["status"], one["reason"]) for one in result(folder)["criteria"]}


class TestAccepted:
    def test_all_criteria(self, criteria: Criteria, acceptance: Acceptance, tmp_path: Path) -> None:
        criteria.add("A1", simulated=["the cloud is none"])
        criteria.add("A2", faults={"planted": SEEN, "another": SEEN})
        commit = criteria.make().sha()
        evidence = tmp_path / "evidence"
        done = acceptance("--mode", "local", "--output", str(evidence))
        assert done.returncode == 0, done.stderr
        assert "local (simulated parts: the cloud is none): 2 of 2 criteria passed: all accepted" in done.stdout
        found = result(evidence)
        assert (found["accepted"], found["commit"], found["uncommitted"]) == (True, commit, False)
        assert [a["name"] for a in found["criteria"][1]["attempts"]] == ["positive", "planted", "another"]
        stated = json.loads((evidence / "statement.json").read_bytes())
        assert stated["predicate"]["result"] == "PASSED"
        assert stated["subject"][1] == {"name": "commit", "digest": {"gitCommit": commit}}
        suites = ElementTree.fromstring((evidence / "junit.xml").read_bytes())
        assert (suites.get("tests"), suites.get("failures"), suites.get("errors")) == ("7", "0", "0")
        assert "all accepted" in (evidence / "summary.md").read_text()
        assert b"all accepted" in (evidence / "index.html").read_bytes()
        assert acceptance("verify", str(evidence), "--accepted", "--commit", commit).returncode == 0

    def test_the_folder_of_the_evidence_is_no_change_of_the_tree(
        self, criteria: Criteria, acceptance: Acceptance
    ) -> None:
        criteria.add("A1")
        criteria.make()
        assert acceptance("--mode", "local").returncode == 0
        assert result(criteria.root / "acceptance-evidence")["accepted"]

    def test_uncommitted_changes_are_no_commit(
        self, criteria: Criteria, acceptance: Acceptance, tmp_path: Path
    ) -> None:
        criteria.add("A1")
        criteria.make()
        (criteria.root / "new.py").write_text("")
        done = acceptance("--mode", "local", "--output", str(tmp_path / "evidence"))
        assert done.returncode == 0
        assert "not accepted (with uncommitted changes)" in done.stdout
        stated = json.loads((tmp_path / "evidence" / "statement.json").read_bytes())
        assert stated["predicate"]["result"] == "WARNED"
        assert len(stated["subject"]) == 1

    def test_only_some_are_never_all(self, criteria: Criteria, acceptance: Acceptance, tmp_path: Path) -> None:
        for name in ("A1", "A2"):
            criteria.add(name)
        criteria.make()
        done = acceptance("--mode", "local", "--only", "A2", "--output", str(tmp_path / "evidence"))
        assert done.returncode == 0
        assert "1 of 2 criteria passed, 1 not run: not accepted" in done.stdout
        assert status(tmp_path / "evidence")["A1"] == ("not-run", "acceptance.not_asked")
        refused = acceptance("verify", str(tmp_path / "evidence"), "--accepted")
        assert (refused.returncode, "acceptance.not_accepted" in refused.stderr) == (1, True)


class TestRed:
    def test_a_planted_fault_turns_its_own_criterion_red_and_no_other(
        self, criteria: Criteria, acceptance: Acceptance, tmp_path: Path
    ) -> None:
        for name in ("A1", "A2", "A3"):
            criteria.add(name)
        criteria.make()
        evidence = tmp_path / "evidence"
        done = acceptance("--mode", "local", "--plant", "A2", "--output", str(evidence))
        assert done.returncode == 1
        assert status(evidence) == {
            "A1": ("pass", "core.passed"),
            "A2": ("fail", "probe.planted"),
            "A3": ("pass", "core.passed"),
        }
        assert "planted: A2:planted" in done.stdout
        assert json.loads((evidence / "statement.json").read_bytes())["predicate"]["result"] == "FAILED"
        assert acceptance("verify", str(evidence)).returncode == 0

    def test_a_fault_that_is_not_noticed(self, criteria: Criteria, acceptance: Acceptance, tmp_path: Path) -> None:
        criteria.add("A1", faults={"planted": GOOD})
        criteria.make()
        done = acceptance("--mode", "local", "--output", str(tmp_path / "evidence"))
        assert done.returncode == 1
        assert status(tmp_path / "evidence")["A1"] == ("fail", "acceptance.fault_unnoticed")

    def test_a_planted_fault_that_nobody_notices_is_a_pass_that_is_not_accepted(
        self, criteria: Criteria, acceptance: Acceptance, tmp_path: Path
    ) -> None:
        criteria.add("A1", faults={"seen": SEEN, "planted": GOOD})
        criteria.make()
        done = acceptance("--mode", "local", "--plant", "A1:planted", "--output", str(tmp_path / "evidence"))
        assert done.returncode == 1
        assert not result(tmp_path / "evidence")["accepted"]

    @pytest.mark.parametrize(
        "misread",
        [
            pytest.param("""answer("fail", "probe.other")""", id="another-reason"),
            pytest.param(
                """answer("fail", "probe.planted", checks=[{"name": "elsewhere", "result": "fail",
                "detail": "d", "reason": "probe.planted"}])""",
                id="a-check-that-the-positive-has-not",
            ),
        ],
    )
    def test_a_fault_that_is_seen_as_something_else(
        self, misread: str, criteria: Criteria, acceptance: Acceptance, tmp_path: Path
    ) -> None:
        criteria.add("A1", faults={"planted": misread})
        criteria.make()
        done = acceptance("--mode", "local", "--output", str(tmp_path / "evidence"))
        assert done.returncode == 3
        assert status(tmp_path / "evidence")["A1"] == ("error", "acceptance.fault_misread")


BROKEN = {
    "killed": """os.kill(os.getpid(), signal.SIGKILL)""",
    "empty": """(evidence / "probe.json").touch(); sys.exit(0)""",
    "corrupt": """(evidence / "probe.json").write_text('{"schema": '); sys.exit(0)""",
    "exit-0-without-an-answer": """sys.exit(0)""",
    "exit-1-without-an-answer": """sys.exit(1)""",
    "crashed": """raise ValueError("defect")""",
    "pass-with-exit-1": """(evidence / "probe.json").write_text(json.dumps(document("pass"))); sys.exit(1)""",
    "pass-and-killed": """(evidence / "probe.json").write_text(json.dumps(document("pass")))
os.kill(os.getpid(), signal.SIGTERM)""",
    "fail-with-exit-0": """(evidence / "probe.json").write_text(json.dumps(document("fail", "probe.planted")))
sys.exit(0)""",
    "no-checks": """answer("pass", checks=[])""",
    "pass-with-a-failed-check": """(evidence / "probe.json").write_text(json.dumps({**document("fail", "probe.planted"),
    "result": "pass", "reason": "core.passed"})); sys.exit(0)""",
    "unknown-member": """answer("pass", waived=True)""",
    "another-schema": """answer("pass", schema="urn:aegis-gates:schema:probe:v2")""",
    "doubled-name": """(evidence / "probe.json").write_text(json.dumps(document("pass"))[:-1] + ', "result": "pass"}')
sys.exit(0)""",
    "too-large": """answer("pass", facts={"x": "y" * (1 << 20)})""",
    "link": """os.symlink("/etc/hostname", evidence / "probe.json"); sys.exit(0)""",
    "disk-full": """import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN); answer("pass")""",
}  # fmt: skip


UNFIT = {"link", "too-large"}


@pytest.fixture(scope="module")
def broken_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The evidence of one run in which each of them stands for the real thing, and for a fault that was seen."""
    folder = tmp_path_factory.mktemp("broken")
    criteria = Criteria(folder / "repository")
    for number, name in enumerate(sorted(BROKEN)):
        criteria.add(f"A{2 * number + 1}", BROKEN[name])
        criteria.add(f"A{2 * number + 2}", GOOD, {"planted": BROKEN[name]})
    criteria.add("A99")
    criteria.make()
    words = aegis("--mode", "local", "--output", str(folder / "evidence"))
    done = subprocess.run(words, cwd=criteria.root, env=environment(), capture_output=True, timeout=1800, check=False)
    assert done.returncode == 3
    return folder / "evidence"


@pytest.mark.parametrize("broken", sorted(BROKEN))
def test_a_probe_without_an_answer_is_none(broken: str, broken_run: Path) -> None:
    """Neither as the real thing, nor as a proof that a fault was seen."""
    number = sorted(BROKEN).index(broken)
    found = status(broken_run)
    reason = "acceptance.evidence_unfit" if broken in UNFIT else "acceptance.probe_broken"
    assert found[f"A{2 * number + 1}"] == found[f"A{2 * number + 2}"] == ("error", reason)
    assert found["A99"] == ("pass", "core.passed")


def test_evidence_of_broken_probes_is_whole(broken_run: Path, acceptance: Acceptance, tmp_path: Path) -> None:
    assert json.loads((broken_run / "statement.json").read_bytes())["predicate"]["passedTests"] == ["A99"]
    assert acceptance("verify", str(broken_run), where=tmp_path).returncode == 0


def ended(reader: int) -> bool:
    """Whether everybody who held the writing end of a pipe is gone, or goes: a signal takes its time."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            return os.read(reader, 1) == b""
        except BlockingIOError:
            time.sleep(0.05)
    return False


class TestStopped:
    def test_a_probe_out_of_time_is_ended_with_what_it_has_started(
        self, criteria: Criteria, environ: dict[str, str], tmp_path: Path
    ) -> None:
        held = tmp_path / "held"
        os.mkfifo(held)
        criteria.add(
            "A1",
            f"""import subprocess
with open({str(held)!r}, "w") as file:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], stdout=file)
child.wait()""",
            timeout=5,
        )
        criteria.make()
        # without waiting for a writer: on a busy machine the time may be over before there is one
        reader = os.open(held, os.O_RDONLY | os.O_NONBLOCK)
        try:
            words = aegis("--mode", "local", "--output", str(tmp_path / "evidence"))
            done = subprocess.run(words, cwd=criteria.root, env=environ, capture_output=True, timeout=300, check=False)
            assert done.returncode == 3
            assert ended(reader)
        finally:
            os.close(reader)
        assert status(tmp_path / "evidence")["A1"] == ("error", "acceptance.probe_timed_out")

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_a_run_that_is_told_to_stop_says_so(
        self, number: signal.Signals, criteria: Criteria, environ: dict[str, str], tmp_path: Path
    ) -> None:
        ready = tmp_path / "ready"
        os.mkfifo(ready)
        criteria.add("A1", f"""open({str(ready)!r}, "w").write(str(os.getpid())); {WAIT}""")
        criteria.add("A2")
        criteria.make()
        evidence = tmp_path / "evidence"
        with subprocess.Popen(
            aegis("--mode", "local", "--jobs", "1", "--output", str(evidence)),
            cwd=criteria.root,
            env=environ,
            stderr=subprocess.PIPE,
        ) as running:
            probe = int(ready.read_text())
            running.send_signal(number)
            assert running.wait(120) == 3
        assert status(evidence) == {"A1": ("error", "core.interrupted"), "A2": ("not-run", "core.interrupted")}
        with pytest.raises(ProcessLookupError):
            os.kill(probe, 0)

    def test_all_that_run_at_once_are_stopped(
        self, criteria: Criteria, environ: dict[str, str], tmp_path: Path
    ) -> None:
        evidence = tmp_path / "evidence"
        for name in ("A1", "A2", "A3"):
            os.mkfifo(tmp_path / name)
            criteria.add(name, f"""open({str(tmp_path / name)!r}, "w").close(); {WAIT}""")
        criteria.make()
        words = aegis("--mode", "local", "--jobs", "2", "--output", str(evidence))
        with subprocess.Popen(words, cwd=criteria.root, env=environ, stderr=subprocess.PIPE) as running:
            for name in ("A1", "A2"):
                (tmp_path / name).read_bytes()
            running.send_signal(signal.SIGTERM)
            assert running.wait(120) == 3
        assert status(evidence) == {
            "A1": ("error", "core.interrupted"),
            "A2": ("error", "core.interrupted"),
            "A3": ("not-run", "core.interrupted"),
        }

    def test_a_signal_before_all_have_their_turn_is_the_reason_of_the_others(
        self, criteria: Criteria, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def run(session: probes._Session, jobs: int) -> None:
            session.end = Stopped(signal.SIGTERM).reason

        monkeypatch.setattr(probes._Session, "run", run)
        for name in ("A1", "A2", "A3"):
            criteria.add(name)
        criteria.make()
        monkeypatch.chdir(criteria.root)
        evidence = tmp_path / "evidence"
        assert main(["acceptance", "--mode", "local", "--only", "A1", "--only", "A2", "--output", str(evidence)]) == 3
        found = status(evidence)
        assert found == {
            "A1": ("not-run", "core.interrupted"),
            "A2": ("not-run", "core.interrupted"),
            "A3": ("not-run", "acceptance.not_asked"),
        }

    def test_a_run_that_is_killed_leaves_no_answer_and_no_probe(
        self, criteria: Criteria, environ: dict[str, str], acceptance: Acceptance, tmp_path: Path
    ) -> None:
        ready, ended = tmp_path / "ready", tmp_path / "ended"
        os.mkfifo(ready)
        os.mkfifo(ended)
        criteria.add("A1")
        criteria.add(
            "A2", f"""held = os.open({str(ended)!r}, os.O_WRONLY); open({str(ready)!r}, "w").close(); {WAIT}"""
        )
        criteria.make()
        evidence = tmp_path / "evidence"
        with (
            subprocess.Popen(
                aegis("--mode", "local", "--jobs", "1", "--output", str(evidence)),
                cwd=criteria.root,
                env=environ,
                stderr=subprocess.PIPE,
            ) as running,
            ended.open("rb") as held,
        ):
            ready.read_bytes()
            running.kill()
            assert held.read() == b""  # the end of the file is the end of the probe
        assert not (evidence / "acceptance.json").exists()
        refused = acceptance("verify", str(evidence))
        assert (refused.returncode, "acceptance.evidence_differs" in refused.stderr) == (1, True)


class TestResume:
    def test_what_was_answered_is_kept_and_everything_else_looked_at_again(
        self, criteria: Criteria, acceptance: Acceptance, tmp_path: Path
    ) -> None:
        count = tmp_path / "count"
        criteria.add("A1", f"""open({str(count)!r}, "a").write("A1 "); answer("pass")""")
        criteria.add("A2", f"""open({str(count)!r}, "a").write("A2 "); answer("fail", "probe.planted")""")
        criteria.add("A3", f"""open({str(count)!r}, "a").write("A3 "); sys.exit(7)""")
        criteria.make()
        words = ("--mode", "local", "--jobs", "1", "--output", str(tmp_path / "evidence"))
        first = acceptance(*words)
        again = acceptance(*words, "--resume")
        assert (first.returncode, again.returncode) == (3, 3)
        assert count.read_text() == "A1 A2 A3 A3 "
        assert [one["kept"] for one in result(tmp_path / "evidence")["criteria"]] == [True, True, False]
        assert acceptance("verify", str(tmp_path / "evidence")).returncode == 0

    @pytest.mark.parametrize("change", ["commit", "uncommitted", "catalogue", "file", "forged"])
    def test_nothing_is_kept_of_something_else(
        self, change: str, criteria: Criteria, acceptance: Acceptance, tmp_path: Path
    ) -> None:
        count, evidence = tmp_path / "count", tmp_path / "evidence"
        criteria.add("A1", f"""open({str(count)!r}, "a").write("A1 "); answer("pass")""")
        repository = criteria.make()
        words = ("--mode", "local", "--output", str(evidence))
        assert acceptance(*words).returncode == 0
        match change:
            case "commit":
                repository.commit({"new.py": ""})
            case "uncommitted":
                repository.write({"new.py": ""})
            case "catalogue":
                catalogue = criteria.root / "acceptance" / "catalogue.yml"
                catalogue.write_text(f"# edited\n{catalogue.read_text()}")
                repository.commit()
            case "file":
                (evidence / "A1" / "positive" / "output.txt").write_text("other")
            case "forged":
                (evidence / "A1" / "criterion.json").write_text("{}")
        assert acceptance(*words, "--resume").returncode == 0
        assert count.read_text() == "A1 A1 "

    def test_a_planted_fault_is_never_kept(self, criteria: Criteria, acceptance: Acceptance, tmp_path: Path) -> None:
        criteria.add("A1")
        criteria.make()
        words = ("--mode", "local", "--output", str(tmp_path / "evidence"))
        assert acceptance(*words, "--plant", "A1").returncode == 1
        assert acceptance(*words, "--resume").returncode == 0
        assert acceptance(*words, "--resume", "--plant", "A1").returncode == 1

    def test_evidence_of_another_run_is_not_mixed_in(
        self, criteria: Criteria, acceptance: Acceptance, tmp_path: Path
    ) -> None:
        criteria.add("A1")
        criteria.make()
        words = ("--mode", "local", "--output", str(tmp_path / "evidence"))
        assert acceptance(*words).returncode == 0
        refused = acceptance(*words)
        assert (refused.returncode, "core.wrong_usage" in refused.stderr) == (2, True)
        (tmp_path / "evidence" / "mine.txt").touch()
        refused = acceptance(*words, "--resume")
        assert (refused.returncode, "mine.txt" in refused.stderr) == (2, True)


class TestSurroundings:
    def test_secrets_reach_only_whom_they_are_for_and_come_out_nowhere(
        self, criteria: Criteria, acceptance: Acceptance, tmp_path: Path
    ) -> None:
        seen = """print(os.environ.get("SHOP_TOKEN"), os.environ.get("OTHER_PASSWORD"), os.environ.get("PLAIN"))
print("and by itself: hunter-two-other")
answer("pass")"""
        criteria.add("A1", seen, secrets=["SHOP_TOKEN"])
        criteria.make()
        env = {"SHOP_TOKEN": "hunter-two", "OTHER_PASSWORD": "hunter-two-other", "PLAIN": "plain"}
        done = acceptance("--mode", "local", "--output", str(tmp_path / "evidence"), env=env)
        assert done.returncode == 0
        output = (tmp_path / "evidence" / "A1" / "positive" / "output.txt").read_text()
        assert output == "*** None plain\nand by itself: ***\n"
        files = [file for file in (tmp_path / "evidence").rglob("*") if file.is_file()]
        assert not [file for file in files if b"hunter-two" in file.read_bytes()]
        assert "hunter-two" not in done.stdout + done.stderr

    def test_a_secret_in_the_evidence_is_removed_and_is_no_answer(
        self, criteria: Criteria, acceptance: Acceptance, tmp_path: Path
    ) -> None:
        criteria.add(
            "A1",
            """(evidence / "settings.txt").write_text("token: " + os.environ["SHOP_TOKEN"]); answer("pass")""",
            secrets=["SHOP_TOKEN"],
        )
        criteria.make()
        env = {"SHOP_TOKEN": "hunter-two"}
        done = acceptance("--mode", "local", "--output", str(tmp_path / "evidence"), env=env)
        assert done.returncode == 3
        assert status(tmp_path / "evidence")["A1"] == ("error", "acceptance.secret_in_evidence")
        files = [file for file in (tmp_path / "evidence").rglob("*") if file.is_file()]
        assert not [file for file in files if b"hunter-two" in file.read_bytes()]

    def test_a_tree_that_changes_meanwhile_is_no_tree(
        self, criteria: Criteria, acceptance: Acceptance, tmp_path: Path
    ) -> None:
        criteria.add("A1", """pathlib.Path("new.py").touch(); answer("pass")""")
        criteria.make()
        done = acceptance("--mode", "local", "--output", str(tmp_path / "evidence"))
        assert done.returncode == 3
        assert status(tmp_path / "evidence")["A1"] == ("error", "acceptance.tree_changed")

    def test_what_a_probe_needs_and_has_not(self, criteria: Criteria, acceptance: Acceptance, tmp_path: Path) -> None:
        criteria.add("A1", needs={"programs": ["no-such-program"], "environment": ["NO_SUCH_VARIABLE"]})
        criteria.make()
        done = acceptance("--mode", "local", "--output", str(tmp_path / "evidence"))
        assert done.returncode == 3
        (one,) = result(tmp_path / "evidence")["criteria"]
        assert (one["status"], one["reason"]) == ("not-run", "acceptance.precondition_missing")
        assert one["message"] == "install no-such-program, or put it on PATH; set the variable NO_SUCH_VARIABLE"

    def test_evidence_that_has_no_place(self, criteria: Criteria, acceptance: Acceptance, tmp_path: Path) -> None:
        criteria.add("A1")
        criteria.make()
        (tmp_path / "file").touch()
        done = acceptance("--mode", "local", "--output", str(tmp_path / "file" / "below"))
        assert (done.returncode, "core.output_unwritable" in done.stderr) == (3, True)


class TestStaging:
    CONFIG = """\
version: 1
api: {url: "https://api.example.org", token_variable: STAGING_JWT, verified: good, unverified: bad}
"""

    def test_what_is_not_configured_is_not_run(
        self, criteria: Criteria, acceptance: Acceptance, tmp_path: Path
    ) -> None:
        criteria.add("A1", mode="staging", needs={"config": ["api.url", "api.token_variable", "cluster.context"]})
        criteria.add("A2", mode="local")
        criteria.make()
        (tmp_path / "staging.yml").write_text(self.CONFIG)
        words = ("--mode", "staging", "--config", str(tmp_path / "staging.yml"))
        done = acceptance(*words, "--output", str(tmp_path / "evidence"))
        assert done.returncode == 3
        first, second = result(tmp_path / "evidence")["criteria"]
        assert first["status"] == second["status"] == "not-run"
        assert first["message"] == (
            "set api.token_variable in the staging configuration; set cluster.context in the staging configuration"
        )
        assert second["message"] == "the catalogue has no staging probe for it"

    def test_a_probe_gets_the_configuration_and_the_variables_that_it_names(
        self, criteria: Criteria, acceptance: Acceptance, tmp_path: Path
    ) -> None:
        does = """print(os.environ["STAGING_JWT"] == "eyJh" + "bGciOi", given.config); answer("pass")"""
        criteria.add("A1", does, mode="staging", needs={"config": ["api.token_variable"]})
        criteria.make()
        config = tmp_path / "staging.yml"
        config.write_text(self.CONFIG)
        words = ("--mode", "staging", "--config", str(config), "--output", str(tmp_path / "evidence"))
        done = acceptance(*words, env={"STAGING_JWT": "eyJhbGciOi"})
        assert done.returncode == 0, done.stderr
        assert "staging (real): 1 of 1 criteria passed: all accepted" in done.stdout
        output = (tmp_path / "evidence" / "A1" / "positive" / "output.txt").read_text()
        assert output == f"True {config}\n"


class TestUsage:
    @pytest.mark.parametrize(
        ("words", "code"),
        [
            ((), "core.wrong_usage"),
            (("--mode", "local", "--only", "A9"), "acceptance.unknown_name"),
            (("--mode", "local", "--plant", "A9"), "acceptance.unknown_name"),
            (("--mode", "local", "--plant", "A1:none"), "acceptance.unknown_name"),
            (("--mode", "local", "--plant", "A1", "--plant", "A1"), "acceptance.unknown_name"),
            (("--mode", "plan", "--plant", "A1"), "core.wrong_usage"),
            (("--mode", "staging", "--config", "no-such-file"), "core.wrong_usage"),
            (("--mode", "local", "--jobs", "0"), "core.wrong_usage"),
            (("verify", "no-such-folder"), "core.wrong_usage"),
        ],
        ids=lambda value: " ".join(value) if isinstance(value, tuple) else value,
    )
    def test_wrong_arguments(
        self, words: tuple[str, ...], code: str, criteria: Criteria, acceptance: Acceptance
    ) -> None:
        criteria.add("A1")
        criteria.make()
        done = acceptance(*words)
        assert (done.returncode, done.stderr.split(": ")[1]) == (2, code), done.stderr
        assert "Traceback" not in done.stderr

    def test_a_catalogue_that_is_none(self, criteria: Criteria, acceptance: Acceptance) -> None:
        criteria.add("A1", faults={})
        criteria.make()
        done = acceptance("--mode", "plan")
        assert (done.returncode, "acceptance.catalogue_invalid: acceptance/catalogue.yml:1:" in done.stderr) == (
            2,
            True,
        )

    def test_a_plan_is_no_pass(self, criteria: Criteria, acceptance: Acceptance) -> None:
        criteria.add("A1", """pathlib.Path("ran").touch()""", needs={"programs": ["no-such-program"]})
        criteria.make()
        done = acceptance("--mode", "plan")
        assert done.returncode == 3
        assert "acceptance.planned_only" in done.stdout
        assert "missing: install no-such-program" in done.stdout
        assert not (criteria.root / "ran").exists()
        assert not (criteria.root / "acceptance-evidence").exists()
