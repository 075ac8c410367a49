"""The log's signed heads: made here, and believed only when the log's key signed them.

https://github.com/C2SP/C2SP/blob/main/tlog-checkpoint.md.
"""

from __future__ import annotations

from aegis.audit.faults import checkpoint_invalid
from aegis.audit.keys import SigningKey, Verifier
from aegis.core.merkle import HASH_BYTES
from aegis.core.note import Checkpoint, NoteError, checkpoint_text, parse_checkpoint, signed_note


def sign_head(key: SigningKey, origin: str, size: int, root: bytes) -> bytes:
    """The signature alone, 64 bytes, of what `note_of` writes."""
    return key.sign(checkpoint_text(origin, size, root).encode())


def note_of(verifier: Verifier, size: int, root: bytes, signature: bytes) -> bytes:
    """A checkpoint of its parts."""
    text = checkpoint_text(verifier.origin, size, root)
    return signed_note(text, [(verifier.origin, verifier.key_id + signature)]).encode()


def read_checkpoint(data: bytes) -> Checkpoint:
    """What a note says, without belief in it. Refuses with `audit.checkpoint_invalid`."""
    try:
        found = parse_checkpoint(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise checkpoint_invalid(
            f"the checkpoint is not UTF-8 at byte {error.start}", expected="a signed note"
        ) from error
    except NoteError as error:
        raise checkpoint_invalid(f"the checkpoint {error}", expected=error.expected) from error
    if len(found.root) != HASH_BYTES:
        raise checkpoint_invalid(f"the checkpoint's root hash has {len(found.root)} bytes", expected="32, SHA-256")
    return found


def open_checkpoint(data: bytes, verifier: Verifier) -> Checkpoint:
    """What this log's key has signed. Refuses with `audit.checkpoint_invalid`."""
    found = read_checkpoint(data)
    if found.origin != verifier.origin:
        raise checkpoint_invalid(f"the checkpoint is of the log {found.origin[:80]!a}", expected=f"{verifier.origin!a}")
    own = [blob[4:] for name, blob in found.signatures if (name, blob[:4]) == (verifier.origin, verifier.key_id)]
    if not own:
        raise checkpoint_invalid(
            "the checkpoint is signed by other keys only", expected=f"a signature by the key {verifier.key_id.hex()}"
        )
    # Signed-note: a signature by a known key that does not hold spoils the note, whatever else it carries.
    if not all(verifier.holds(signature, found.text.encode()) for signature in own):
        raise checkpoint_invalid(
            "the checkpoint's signature does not hold", expected="a text that the log's key signed"
        )
    return found
