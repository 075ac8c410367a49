"""Reasons of the runtime: loading models, and its API."""

from __future__ import annotations

from aegis.core.codes.code import Code

_CONVERT = "Convert the model to safetensors, ONNX or GGUF, or leave the file out; then sign it again."
_VERDICT = "Run the verify gate on what is deployed, sign its verdict and upload both to `verify.load.verdict.source`."

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
    Code(
        "runtime.model_name_invalid",
        "Model name not allowed",
        "Names end up in paths, labels and logs: whatever is no plain name could lead elsewhere.",
        "Ask for the model by its name in the policy: letters, digits, `.`, `_` and `-`, at most 100.",
    ),
    Code(
        "runtime.model_unknown",
        "Model not in the policy",
        "Nobody said who may sign it, so nothing could say that it is the right one.",
        "Add it to `verify.artifacts` in the policy file, or correct the name.",
    ),
    Code(
        "runtime.model_quarantined",
        "Model in quarantine",
        "A person took it out of service; a signature that holds does not bring it back.",
        "Find out why with `aegis model status`; `aegis model release NAME --reason …` lets it be loaded again.",
    ),
    Code(
        "runtime.model_revoked",
        "Model revoked",
        "It was signed and is known to be bad since: its signature still holds, so only this keeps it out.",
        "Load another release. What was revoked is never loaded again.",
    ),
    Code(
        "runtime.model_too_large",
        "Model larger than allowed",
        "A store that sends without end would fill disk and memory of the serving system.",
        "Raise `verify.load.max-bytes` in the policy file if the model is meant to be this large.",
    ),
    Code(
        "runtime.too_many_files",
        "Model of more files than allowed",
        "Each file is an open descriptor and a question to the store.",
        "Raise `verify.load.max-files` in the policy file if the model is meant to have so many.",
    ),
    Code(
        "runtime.too_many_open_files",
        "Not enough descriptors",
        "Each file of a model is given out as an open descriptor.",
        "Raise the limit of open files of the service (`ulimit -n`, LimitNOFILE).",
    ),
    Code(
        "runtime.disk_full",
        "Disk too small for the model",
        "A disk that fills up half-way takes other services with it.",
        "Free some space where AEGIS_DATA lies, or lower AEGIS_KEPT_BYTES.",
    ),
    Code(
        "runtime.memory_short",
        "Memory too small for the model",
        "Models are given out in sealed memory, where nobody can change them after they were verified.",
        "Give the service more memory, or set AEGIS_HANDOFF=disk (docs/runtime.md says what that costs).",
    ),
    Code(
        "runtime.handoff_failed",
        "Files could not be given out",
        "Without sealed memory or an open descriptor, what is loaded need not be what was verified.",
        "Look at the message; where the kernel has no sealed memory, set AEGIS_HANDOFF=disk.",
    ),
    Code(
        "runtime.kept_copy_changed",
        "Kept copy changed",
        "Something wrote into the folder of verified models, or the disk is failing. The copy was removed.",
        "Find out who can write below AEGIS_DATA. The model was fetched anew, and given out only if it is as signed.",
    ),
    Code(
        "runtime.busy",
        "Another process is fetching the model",
        "One download serves all processes of a machine; waiting has an end.",
        "Try again; look at the other process if it hangs.",
    ),
    Code(
        "runtime.states_unavailable",
        "States of models not readable or writable",
        "Without them nobody knows whether a model is in quarantine, and a no could not be remembered.",
        "Look at the database that DATABASE_URL names, and try again.",
    ),
    Code(
        "runtime.policy_unreadable",
        "Policy or key not readable",
        "What may be loaded, and signed by whom, stands in these files only.",
        "Put the file beside the policy (AEGIS_POLICY), readable by this service; no link may lead out of there.",
    ),
    Code(
        "runtime.database_url_invalid",
        "Address of the database not understood",
        "Of an address that is half understood, another database might be meant.",
        "Write DATABASE_URL as postgresql://USER@HOST:PORT/NAME or sqlite:///PATH.",
    ),
    Code(
        "runtime.database_newer",
        "Database of a newer version",
        "An old program does not know what the tables of a newer one mean.",
        "Run the newer program, or restore the database as it was before.",
    ),
    Code(
        "runtime.transition_refused",
        "A model's state does not allow this",
        "Only what is in quarantine can be released, and what was revoked stays so.",
        "Look at the model's state with `aegis model status`.",
    ),
    Code(
        "runtime.api_address_refused",
        "Address not available",
        "A service that cannot listen where it was told to is not there.",
        "Choose another --host or --port, or end what listens there.",
    ),
    Code(
        "runtime.api_certificate_invalid",
        "Certificate not usable",
        "Without the certificate that was named, tokens would travel in the clear.",
        "Name PEM files of a certificate and its key with --tls-cert and --tls-key.",
    ),
    # --- what may be loaded -------------------------------------------------------------------------------------------
    Code(
        "runtime.format_pickle",
        "Model holds a pickle",
        "A pickle is a program that runs when it is loaded; no scanner knows every bad one.",
        _CONVERT,
    ),
    Code(
        "runtime.format_archive",
        "Model holds an archive",
        "Archives and compressed files are how pickles, code and whole programs come with a model.",
        _CONVERT,
    ),
    Code(
        "runtime.format_code",
        "Model holds code",
        "Weights need no code of their own: it would run with all rights of the service that loads them.",
        _CONVERT,
    ),
    Code(
        "runtime.format_polyglot",
        "File is of two kinds at once",
        "It passes for weights with one reader, and another one unpacks it.",
        "Treat whoever made it as hostile; if you made it yourself, write the weights anew.",
    ),
    Code(
        "runtime.format_unknown",
        "Format not known",
        "Only formats that were looked at from end to end are loaded.",
        _CONVERT,
    ),
    Code(
        "runtime.format_not_allowed",
        "Format not allowed",
        "The policy takes fewer formats than are known.",
        "Convert the model, or have the policy's owner add the format to `verify.load.formats`.",
    ),
    Code(
        "runtime.format_malformed",
        "File not as its format says",
        "Two readers read such a file differently, or something is hidden in it.",
        "Write the file anew with the format's own library, and sign it again.",
    ),
    Code(
        "runtime.format_external",
        "Tensor outside of the model",
        "An ONNX model that names a path outside of its own files reads whatever lies there.",
        "Save the model with its external data beside it, and sign all of its files.",
    ),
    # --- the load path ------------------------------------------------------------------------------------------------
    Code(
        "runtime.loader_missing",
        "No loader for this format",
        "The model is verified, and nothing here can read it.",
        "Register a loader (`aegis_multimodal_ai_system.orchestrator.register_loader`), or convert the model.",
    ),
    Code(
        "runtime.loader_failed",
        "Loader failed",
        "The model is verified, and the loader could not read it.",
        "Look at the cause, which the exception chains; report it to whoever wrote the loader.",
    ),
    # --- a demanded verdict -------------------------------------------------------------------------------------------
    Code(
        "runtime.verdict_missing",
        "No signed verdict",
        "The policy asks for a verdict of the verify gate beside the signatures.",
        _VERDICT,
    ),
    Code(
        "runtime.verdict_untrusted",
        "Verdict not signed as the policy asks",
        "Anybody can write that a gate has passed.",
        _VERDICT,
    ),
    Code(
        "runtime.verdict_not_pass",
        "Verdict is no pass",
        "Only a plain pass of the verify gate counts: no waiver, no observing, no first run without a policy.",
        "Make the gate pass, and publish its verdict.",
    ),
    Code(
        "runtime.verdict_other_artifact",
        "Verdict on something else",
        "The gate has passed, but not on what is to be loaded.",
        _VERDICT,
    ),
    Code(
        "runtime.verdict_too_old",
        "Verdict too old",
        "What the gate read long ago says nothing about today's policy and keys.",
        _VERDICT,
    ),
    Code(
        "runtime.path_outside",
        "Artifact outside of the policy's folder",
        "A policy that could name any path would read files that belong to others on the machine.",
        "Put the artifact beside the policy file, or into a bucket.",
    ),
)
