"""Reasons of the runtime: loading models, and its API."""

from __future__ import annotations

from aegis.core.codes.code import Code

TABLE: tuple[Code, ...] = (
    Code(
        "runtime.setting_invalid",
        "Setting not understood",
        "A setting that means something else than its author believes would run another deployment.",
        "Correct the environment variable; docs/runtime.md lists them all.",
    ),
    Code(
        "runtime.api_path_unknown",
        "No such resource",
        "A path that reads in two ways (encoded slashes, `..`) can pass one check and reach another resource.",
        "Use a path of /openapi.json, with names spelt plainly.",
    ),
    Code(
        "runtime.api_method_refused",
        "Method not allowed",
        "Each resource has just the methods that its description names.",
        "Use a method of the header Allow.",
    ),
    Code(
        "runtime.api_request_malformed",
        "Request not understood",
        "What two readers of a request understand differently is how one of them is deceived.",
        "Send each header and parameter once, in the form that /openapi.json describes.",
    ),
    Code(
        "runtime.api_body_malformed",
        "Body not understood",
        "Doubled or unknown keys mean different things to different readers, so nothing is guessed.",
        "Send one JSON object as /openapi.json describes it.",
    ),
    Code(
        "runtime.api_body_too_large",
        "Body too large",
        "No call needs a large body, and an endless one would hold memory.",
        "Send less.",
    ),
    Code(
        "runtime.api_headers_too_large",
        "Headers too large",
        "No call needs large headers, and endless ones would hold memory.",
        "Send fewer and shorter headers.",
    ),
    Code(
        "runtime.api_media_type_refused",
        "Media type not taken",
        "Only plain JSON is read, so that every reader reads the same.",
        "Send Content-Type: application/json, without Content-Encoding.",
    ),
    Code(
        "runtime.api_too_slow",
        "Request arrived too slowly",
        "A connection that trickles holds a place that others need.",
        "Send the request in one go.",
    ),
    Code(
        "runtime.api_token_missing",
        "No bearer token",
        "Everything but health belongs to somebody, and the audit log names who did it.",
        "Send Authorization: Bearer with an OIDC token of an issuer that the service trusts.",
    ),
    Code(
        "runtime.api_role_missing",
        "Role not granted",
        "Who may read may not therefore change what is loaded.",
        "Ask who runs the service for the role that the answer names, or use another identity.",
    ),
    Code(
        "runtime.api_auth_unset",
        "The service trusts no issuer",
        "Without its file of issuers and roles the service cannot tell who calls, so it refuses everyone.",
        "Set AEGIS_AUTH to the file, and start the service again.",
    ),
    Code(
        "runtime.api_busy",
        "Too many requests at once",
        "A bounded service answers some callers; an unbounded one answers nobody.",
        "Try again after the time that Retry-After names.",
    ),
    Code(
        "runtime.api_timed_out",
        "No answer in time",
        "What takes longer than the limit goes on by itself; its caller is told so instead of waiting forever.",
        "Ask for the state of the model, and try again later.",
    ),
    Code(
        "runtime.api_stopping",
        "The service is stopping",
        "A service that ends takes nothing new.",
        "Try again: another replica answers.",
    ),
    Code(
        "runtime.api_entry_unknown",
        "No such entry in the log",
        "A proof is given only for what the log holds.",
        "Ask for an index below the size in /v1/audit/checkpoint.",
    ),
)
