from __future__ import annotations

import pytest

from aegis.adapters.objects.obstore_faults import NOWHERE, fault_of

ANSWER = (
    "Generic S3 error: Error performing GET {address}/a in 1ms - Server returned non-2xx status code: 404 Not Found"
)


@pytest.mark.parametrize("address", ["http://127.0.0.1:10844/models", "http://127.0.0.1:19/models"])
def test_a_store_at_a_port_that_begins_like_nowhere_is_not_elsewhere(address: str) -> None:
    found = fault_of(FileNotFoundError(ANSWER.format(address=address)), "s3://models/a", address)
    assert found.code == "verify.store_missing"


@pytest.mark.parametrize("end", ["/", ")", ": Connection refused"])
def test_whatever_was_sent_elsewhere_is_a_redirect(end: str) -> None:
    address = "https://models.s3.eu-central-1.amazonaws.com"
    said = f"Generic S3 error: Error performing GET {address}/a in 1ms - tcp connect error http://{NOWHERE}{end}"
    found = fault_of(OSError(said), "s3://models/a", address)
    assert found.code == "verify.store_redirected"
