"""The product's evaluator against the doubles' one, which was written apart: thousands of generated pairs."""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import Any

from aegis.identity.claims import Claims
from aegis.identity.lint import lint_policy
from aegis.identity.policy_document import parse_policy
from aegis.identity.role import parse_role
from aegis.identity.trust_evaluation import CLAIMS, evaluate, request_of
from tests.doubles.aws import iam_policy
from tests.support.tokens.trusts import ACCOUNT, HOST, PROVIDER, ROLE, statement

PAIRS = 4_000
SEED = 20_260_723
VALUES = {
    "aud": ["sts.amazonaws.com", "https://github.com/octo"],
    "sub": [
        "repo:octo/shop:ref:refs/heads/main",
        "repo:octo/shop:pull_request",
        "repo:octo@42/shop@7001:pull_request",
        "repo:octo/shop:environment:prod",
        "repo:octo/shop*:x",
        "repo:Octo/shop:ref:refs/heads/main",
    ],
    "environment": ["prod", "Prod", "", "a*b"],
    "ref": ["refs/heads/main", "refs/heads/ma?n", "refs/pull/7/merge", ""],
    "repository_id": ["7001", "70011"],
    "actor": ["mona", "MONA"],
}
OPERATORS = [
    scope + name + ending
    for name in (
        "StringEquals",
        "StringNotEquals",
        "StringLike",
        "StringNotLike",
        "StringEqualsIgnoreCase",
        "StringNotEqualsIgnoreCase",
        "Bool",
    )
    for scope in ("", "ForAllValues:", "ForAnyValue:")
    for ending in ("", "IfExists")
    # what IfExists means there, the documentation and what AWS does say differently: the product answers "unknown"
    if (scope, ending) != ("ForAnyValue:", "IfExists")
]


def mangled(chance: random.Random, value: str) -> str:
    """A pattern that is near a value."""
    place = chance.randrange(len(value) + 1)
    cut = value[place + chance.randrange(6) :]
    return chance.choice(
        [
            value,
            value,
            value.upper(),
            value[:place] + "*",
            "*" + value[place:],
            value[:place] + "*" + cut,
            value[:place] + "?" + value[place + 1 :],
            value[:place] + "${*}" + cut,
            value[:place] + "${?}" + cut,
            value[:place] + "$" + cut,
            "*",
            "?*",
            "**",
            "",
            value.replace("*", "${*}").replace("?", "${?}"),
            value + "?",
        ]
    )


def condition(chance: random.Random) -> tuple[str, str, object]:
    claim = chance.choice([*VALUES, "repository_owner", f"{HOST.title()}:Sub", "accounts.google.com:sub"])
    if chance.random() < 0.1:
        return "Null", claim, chance.choice(["true", "false", True, ["true", "false"]])
    near = VALUES.get(claim, VALUES["sub"])
    wanted = [mangled(chance, chance.choice(near)) for _ in range(chance.choice([1, 1, 2, 3]))]
    return chance.choice(OPERATORS), claim, wanted[0] if len(wanted) == 1 else wanted


def some_statement(chance: random.Random) -> dict[str, Any]:
    elements: dict[str, Any] = {
        "effect": chance.choice(["Allow", "Allow", "Allow", "Deny"]),
        "Principal": chance.choices(
            [
                {"Federated": PROVIDER},
                {"Federated": ["x", PROVIDER]},
                "*",
                {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
                {"Federated": PROVIDER + "/x"},
            ],
            [12, 2, 1, 1, 1],
        )[0],
    }
    if chance.random() < 0.1:
        elements |= {"Action": None, "NotAction": chance.choice(["sts:AssumeRole", "sts:*", ["s3:*"]])}
    elif chance.random() < 0.2:
        elements["Action"] = chance.choice(
            ["sts:*", "*", ["s3:Get*", "sts:assumerolewithwebidentity"], "sts:AssumeRole", "sts:AssumeRole?*"]
        )
    return statement(*(condition(chance) for _ in range(chance.choice([0, 1, 1, 2, 3]))), **elements)


def pair(chance: random.Random) -> tuple[dict[str, Any], dict[str, str]]:
    policy: dict[str, Any] = {"Statement": [some_statement(chance) for _ in range(chance.choice([1, 1, 2, 3]))]}
    if chance.random() < 0.9:
        policy["Version"] = "2012-10-17"
    said = {
        claim: chance.choice(values)
        for claim, values in VALUES.items()
        if claim in {"aud", "sub"} or chance.random() < 0.7
    }
    return policy, said


def test_they_agree() -> None:
    chance = random.Random(SEED)
    answers: Counter[bool] = Counter()
    for number in range(PAIRS):
        policy, said = pair(chance)
        token = Claims(f"https://{HOST}", said["sub"], said["aud"], None, None, 2**33, said)
        parsed = parse_policy(json.dumps(policy), name="p")
        evaluation = evaluate(parsed, request_of(token, parse_role(ROLE)))
        mine = evaluation.allowed
        assert set(said) <= set(CLAIMS)
        theirs = iam_policy.allows(
            [policy],
            action="sts:AssumeRoleWithWebIdentity",
            federated=PROVIDER,
            context={f"{HOST}:{claim}": [value] for claim, value in said.items()},
        )
        assert mine is theirs, f"pair {number}: {json.dumps(policy)} for {said}"
        answers[theirs] += 1
        # whatever it is, there are words for it
        assert evaluation.reason
        assert mine or evaluation.fix
        assert all(str(finding) for finding in lint_policy(parsed))
    # neither answer is so rare that agreeing on the other would prove nothing
    assert min(answers.values()) > PAIRS // 10
