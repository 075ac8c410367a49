"""Reasons of the validation of OIDC tokens."""

from __future__ import annotations

from aegis.core.codes.code import Code

_ANEW = "Ask the issuer for a new token, and send it as it came."

TABLE: tuple[Code, ...] = (
    Code(
        "token.malformed",
        "Token has not its only form",
        "Two readers that take one text for two tokens are how a check is passed by one and used by another.",
        _ANEW,
    ),
    Code(
        "token.too_large",
        "Token is too large",
        "Whoever may send any amount of text unasked keeps a service busy.",
        "Ask the issuer for fewer claims (often: fewer groups).",
    ),
    Code(
        "token.header_refused",
        "Header of the token is not taken",
        "A token that brings its own key, or asks for processing that is unknown here, decides how it is checked.",
        "Ask the issuer for a token with no header parameters but alg, kid, typ, x5t and x5t#S256.",
    ),
    Code(
        "token.algorithm_refused",
        "Algorithm of the token is not taken",
        "Without a signature, or with a secret that the verifier has too, anybody or the verifier could have made it.",
        "Let the issuer sign by RS, PS or ES with 256, 384 or 512, or by EdDSA.",
    ),
    Code(
        "token.type_refused",
        "Token is of another type",
        "A token that was made for one purpose must not serve another (RFC 8725 3.11).",
        "Send the type of token that the file of issuers names (`tokenTypes`).",
    ),
    Code(
        "token.issuer_unknown",
        "Issuer of the token is unknown",
        "Only issuers that the operator named say who someone is.",
        "Add the issuer to the file that AEGIS_AUTH names, exactly as it stands in `iss`.",
    ),
    Code(
        "token.no_issuers",
        "No issuer is set up",
        "Without a file of issuers no token proves anything.",
        "Set AEGIS_AUTH to a file of issuers and roles.",
    ),
    Code(
        "token.audience_refused",
        "Token is for somebody else",
        "A token for another service, which that service holds too, would let it act here in its user's name.",
        "Ask the issuer for a token with the audience of this service.",
    ),
    Code("token.expired", "Token has expired", "A token that was once stolen must stop to work.", _ANEW),
    Code(
        "token.not_yet_valid",
        "Token is not valid yet",
        "A time in the future is a wrong clock, or a token that somebody keeps for later.",
        "Compare the clocks of the issuer and of this machine.",
    ),
    Code(
        "token.times_invalid",
        "Times of the token are missing or make no sense",
        "What has no end, or a very far one, cannot be taken back.",
        "Let the issuer set `iat` and `exp`, no further apart than `maxLifetimeSeconds` of the file of issuers.",
    ),
    Code(
        "token.subject_invalid",
        "Token names nobody",
        "Everything that is done has someone who did it.",
        "Let the issuer set `sub`.",
    ),
    Code(
        "token.claim_refused",
        "Claim has not the required value",
        "The operator takes only some of the issuer's tokens.",
        "Compare the token with `claimValidationRules` of the file of issuers.",
    ),
    Code(
        "token.key_unknown",
        "Key of the token is unknown",
        "The issuer does not publish this key: it is of somebody else, revoked, or so new that nobody has seen it.",
        "Ask the issuer for a new token; if a key was just rotated in, try again in half a minute.",
    ),
    Code(
        "token.key_ambiguous",
        "More than one key could be meant",
        "To try several keys is to let any of them decide.",
        "Let the issuer name the key in the header (`kid`), and each key only once.",
    ),
    Code(
        "token.key_unfit",
        "Key is not for this algorithm",
        "A key decides its algorithm; a token that chooses another one makes the check mean something else.",
        "Let the issuer sign by the algorithm that its published key has.",
    ),
    Code(
        "token.wrong_signature",
        "Signature of the token does not hold",
        "The token was changed, or made by somebody without the issuer's key.",
        "Ask the issuer for a new token; if you did not expect this, look for who sent it.",
    ),
    Code(
        "token.keys_unavailable",
        "Keys of the issuer cannot be had",
        "Without the issuer's keys no token of it can be checked.",
        "See the issuer's discovery document and keys from this machine; the log of this service has each failure.",
    ),
    Code(
        "token.actor_unclear",
        "Token does not say clearly who acts",
        "Names are given to others later; ids that contradict each other, or are missing, prove nobody.",
        "Leave the subject's claims at the issuer as they are by default, with the ids of repository, run and actor.",
    ),
    Code(
        "token.config_invalid",
        "File of issuers not understood",
        "A rule that means something else than its author believes lets somebody in.",
        "Correct the file at the line and column that the message names.",
    ),
)
