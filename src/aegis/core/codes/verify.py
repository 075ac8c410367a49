"""Reasons of the verify gate."""

from __future__ import annotations

from aegis.core.codes.code import Code

_SIGN = "Sign it as its policy asks (`aegis sign`, or the workflow sign-model.yml), and run the check again."
_REPLACE = "Fetch or build the artifact anew, and sign it; if you did not expect this, treat the store as compromised."
_POLICY = "Correct `verify` in the policy file; docs/verify.md explains each key."
_AGAIN = "Run it again; if it happens again, look at the store's own logs."

TABLE = (
    # --- signatures ---------------------------------------------------------------------------------------------------
    Code(
        "verify.unsigned",
        "No signature",
        "The policy asks for a signature and there is none beside the artifact.",
        _SIGN,
    ),
    Code(
        "verify.bundle_malformed",
        "Signature not readable",
        "What cannot be read as exactly one signature of a known format proves nothing.",
        "Sign again with a current cosign, sigstore, model_signing or `aegis sign`.",
    ),
    Code(
        "verify.bundle_too_large",
        "Signature too large",
        "A signature of this size serves to exhaust its reader.",
        "Sign again; no bundle that a signer writes is this large.",
    ),
    Code(
        "verify.wrong_signature",
        "Signature does not match",
        "These bytes are not the ones that were signed with this key.",
        _REPLACE,
    ),
    Code(
        "verify.wrong_key",
        "Signed by another key or method",
        "The signature is by none of the keys, or by another kind of signer, than the policy names.",
        "Sign with a key of the policy, or have the policy's owner add the signer.",
    ),
    Code(
        "verify.too_few_signers",
        "Not enough different signers",
        "The policy asks for several signers; one signer counts once, however often it signs.",
        _SIGN,
    ),
    # --- the gate: policy and artifacts -------------------------------------------------------------------------------
    Code(
        "verify.policy_incomplete",
        "Policy protects nothing",
        "Without an artifact, a signer or an issuer the gate would be green for anyone.",
        _POLICY,
    ),
    Code(
        "verify.key_missing",
        "No key to verify with",
        "The policy names a key that this run does not have.",
        "Set COSIGN_PUB_KEY as a variable or secret, or commit the public key and name its file in the policy.",
    ),
    Code(
        "verify.artifact_missing",
        "Artifact not there",
        "The policy names an artifact that the store does not have.",
        "Upload the artifact, or correct `source` in the policy.",
    ),
    Code(
        "verify.release_missing",
        "No release statement",
        "The policy asks for a statement of name, version and digest, and there is none beside the artifact.",
        "Sign one with `aegis verify release sign`.",
    ),
    Code(
        "verify.earlier_invalid",
        "Earlier verdict does not hold",
        "A verdict that cannot be verified spares no download; the artifact is verified anew.",
        "Nothing to do.",
    ),
    Code(
        "verify.shard_invalid",
        "Shards do not fit together",
        "A missing, doubled or foreign shard leaves a part of the artifacts unjudged.",
        "Run all shards of one plan, and merge exactly their outputs.",
    ),
    # --- keys, bundles and several signers ----------------------------------------------------------------------------
    Code(
        "verify.key_invalid",
        "Key not usable",
        "A key that is weak, not a public key, or not exactly one key would decide nothing, or the wrong thing.",
        "Give one PEM block PUBLIC KEY: `cosign public-key --key KEY`, or `openssl pkey -in KEY -pubout`.",
    ),
    Code(
        "verify.private_key_invalid",
        "Private key not usable",
        "A key that cannot be opened, or of a kind that no verifier accepts, signs nothing.",
        "Make a pair with `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256`; a password comes from an "
        "environment variable.",
    ),
    Code(
        "verify.key_outside_window",
        "Key not valid on this day",
        "A key that was retired, or is not yet in use, signs for nobody; nothing proves when the signature was made.",
        "Sign with the key of today, or have the policy's owner change `valid-from` and `valid-until`.",
    ),
    Code(
        "verify.content_needed",
        "Key type does not fit large files",
        "Ed25519 signs the content itself instead of its digest, so a large file would have to be held in memory.",
        "Sign with an ECDSA key, or sign the folder as a model.",
    ),
    Code(
        "verify.wrong_content",
        "Signature of another kind",
        "A signature over a file and one over an attestation prove different things; neither stands in for the other.",
        "Set `kind` of the artifact to what was signed, or sign it in the way that its kind asks for.",
    ),
    Code(
        "verify.pattern_unsafe",
        "Identity pattern too wide",
        "A pattern that is not anchored, or leaves host or owner open, matches identities that anybody can get.",
        "Write `identity` exactly, or a pattern such as ^https://github\\.com/org/repo/\\.github/workflows/x\\.yml@refs/tags/v[0-9]+$",
    ),
    # --- identity: tokens of GitHub, roles of AWS ---------------------------------------------------------------------
    Code(
        "verify.no_id_token_fork",
        "No token for this pull request",
        "GitHub gives neither an id-token nor secrets to a run for a fork, or to one that Dependabot started.",
        "A maintainer reads the change and starts the workflow by `workflow_dispatch` for its head commit.",
    ),
    Code(
        "verify.no_id_token_permission",
        "The job may not ask for a token",
        "Without `id-token: write` in its permissions, a job gets no OIDC token.",
        "Add `permissions: {id-token: write, contents: read}` to the job, and to every workflow that calls it.",
    ),
    Code(
        "verify.no_workflow",
        "Not in a workflow",
        "Only a GitHub workflow is given OIDC tokens.",
        "Run it as a job of a workflow, or pass a token where the command takes one.",
    ),
    Code(
        "verify.token_unavailable",
        "GitHub's token service did not answer",
        "Without a token there are no credentials, so nothing was looked at.",
        "Run it again; see https://www.githubstatus.com if it happens again.",
    ),
    Code(
        "verify.token_refused",
        "GitHub gave no token",
        "GitHub's token service refused the request; asking again would not change that.",
        "Run the job again: its right to ask for tokens ends with the job.",
    ),
    Code(
        "verify.token_invalid",
        "Token not usable",
        "A token for another audience, without an end, or not readable is no proof of anything.",
        "Let Aegis mint the token in the job itself, with the audience that the cloud's provider lists.",
    ),
    Code(
        "verify.token_expired",
        "Token is over",
        "A token proves an identity only until it ends, minutes after it was minted.",
        "Run it again. If it happens again, compare the clocks of the runner and of the cloud.",
    ),
    Code(
        "verify.role_invalid",
        "Not a role",
        "The role must be named exactly: by its ARN.",
        "Correct `verify.aws.role`, or the input or variable that names the role.",
    ),
    Code(
        "verify.region_invalid",
        "Not a region",
        "The region is a part of the address to which the token is sent.",
        "Correct `verify.aws.region`, or the input or variable that names it, e.g. eu-west-1.",
    ),
    Code(
        "verify.endpoint_invalid",
        "Address not safe for secrets",
        "Tokens and credentials are sent by https only, or to this very machine.",
        "Correct the address that the message names; leave the runner's own variables as GitHub sets them.",
    ),
    Code(
        "verify.role_denied",
        "The role does not trust this job",
        "The trust policy of the role does not allow this token.",
        "Run `aegis credentials doctor --trust-policy FILE` in the same job: it names the condition that fails.",
    ),
    Code(
        "verify.sts_unreachable",
        "STS did not answer",
        "Without an answer there are no credentials, so nothing was looked at.",
        "Run it again; check that the runner reaches STS in `verify.aws.region`.",
    ),
    Code(
        "verify.sts_refused",
        "STS refused the request",
        "The exchange was refused for a reason that asking again would not change.",
        "Correct what the message names.",
    ),
    Code(
        "verify.wrong_account",
        "Another account than the policy's",
        "Credentials of another account would read other objects under the same names.",
        "Correct `verify.aws.account` or the role.",
    ),
    Code(
        "verify.session_policy_invalid",
        "Session policy cannot be made",
        "The session is limited to what the artifacts need; what cannot be said in a policy is not read.",
        "Correct `verify.artifacts` or `verify.aws.kms-keys` in the policy file.",
    ),
    Code(
        "verify.session_policy_too_large",
        "Session policy too long",
        "STS takes a limited session policy, and a session without one could read all that the role can.",
        "Put the artifacts below fewer common prefixes, or check them in several jobs with a policy file each.",
    ),
    Code(
        "verify.trust_policy_invalid",
        "Policy document not readable",
        "A trust policy that is only half understood would be judged wrongly.",
        "Pass the JSON that `aws iam get-role --role-name NAME` prints, or its AssumeRolePolicyDocument.",
    ),
    # --- storage ------------------------------------------------------------------------------------------------------
    Code(
        "verify.source_invalid",
        "Source not readable",
        "An address that two programs could read in two ways is refused before anything is asked.",
        "Write it as s3://bucket/key, oci://namespace/bucket/key, https://host/path or a path; a prefix ends in `/`.",
    ),
    Code(
        "verify.source_unlistable",
        "Source without a listing",
        "Plain HTTPS cannot say what lies below an address, so nobody could tell that a file is missing or extra.",
        "Name one file, or keep the model in a bucket or in the repository.",
    ),
    Code(
        "verify.store_denied",
        "Store refuses access",
        "The store does not know the credentials, or does not let them read this place.",
        "Let the role list the bucket with its versions, get objects and object versions, and decrypt them.",
    ),
    Code(
        "verify.store_missing",
        "Not in the store",
        "A bucket, an object or a version that was named or listed is not there.",
        "Upload it, or correct its name in the policy.",
    ),
    Code(
        "verify.store_failed",
        "Store failed",
        "The store did not answer, or with an error of its own, also when asked again.",
        _AGAIN,
    ),
    Code(
        "verify.store_slow",
        "Store too slow",
        "Silence or a trickle used up the time; what was not read whole is not judged.",
        _AGAIN,
    ),
    Code(
        "verify.store_cut",
        "Transfer cut off",
        "The transfer ended early, also when it was taken up again where it had stopped.",
        _AGAIN,
    ),
    Code(
        "verify.store_redirected",
        "Store points elsewhere",
        "A redirect would take the credentials, and the artifact's origin, to a place that nobody named.",
        "Correct region and endpoint; redirects are never followed.",
    ),
    Code(
        "verify.store_wrong_range",
        "Wrong part of an object",
        "The store sent other bytes than those that were asked for.",
        "Treat the store, or what stands before it, as compromised until you know why it answers so.",
    ),
    Code(
        "verify.store_wrong_size",
        "Size differs from the listing",
        "The store sends more or fewer bytes than it listed.",
        "Run it again when nothing is being uploaded; if it happens again, look at the store's own logs.",
    ),
    Code(
        "verify.store_changed",
        "Object changed meanwhile",
        "It is no longer the version that was listed, so parts of two versions could be mixed.",
        "Run it again when nothing is being uploaded; turn versioning on, so that old versions stay readable.",
    ),
    Code(
        "verify.store_encoded",
        "Object with Content-Encoding",
        "Other readers decompress it, so they would use other bytes than those that were verified.",
        "Upload it without Content-Encoding.",
    ),
    Code(
        "verify.store_listing",
        "Listing not whole",
        "With a part of the listing nobody can tell that a file is missing or extra.",
        _AGAIN,
    ),
    Code(
        "verify.too_many_objects",
        "Too many objects",
        "A listing without an end serves to exhaust its reader.",
        "Name a longer prefix; a model with this many files is better packed into fewer.",
    ),
    Code(
        "verify.symlink",
        "Symbolic link",
        "What a link leads to can be exchanged after it was verified.",
        "Replace the link by the file itself.",
    ),
    Code(
        "verify.hard_link",
        "File with another name",
        "A file with a second name can be changed through it after it was verified.",
        "Copy the file, so that it has one name only.",
    ),
    Code(
        "verify.special_file",
        "Neither file nor folder",
        "A pipe, socket or device gives other bytes at each reading.",
        "Remove it from the artifact.",
    ),
    Code(
        "verify.name_not_text",
        "File name not UTF-8",
        "A name that is no text is shown differently everywhere, and no manifest can hold it.",
        "Rename the file.",
    ),
    Code(
        "verify.folder_too_deep",
        "Folders too deep",
        "Folders nested this deep serve to exhaust their reader.",
        "Put the files into fewer folders.",
    ),
    Code(
        "verify.unreadable",
        "File or folder not readable",
        "What cannot be read cannot be verified, and is not left out either.",
        "Let the user of this run read every file and folder of the artifact.",
    ),
    Code(
        "verify.file_changed",
        "File changed while it was read",
        "Somebody wrote to it, or put another in its place, between listing and reading.",
        "Stop whatever writes there, and run it again; if you did not expect it, treat the machine as compromised.",
    ),
    Code(
        "verify.not_private",
        "Folder not private",
        "Others could exchange what is verified in it.",
        "Name a folder that belongs to you alone (mode 0700), or remove this one so that it is made anew.",
    ),
    Code(
        "verify.disk_failed",
        "Disk failed",
        "What was read could not be written; nothing of it was kept.",
        "Free some space, or name another folder, and run it again.",
    ),
    Code(
        "verify.kept_copy_changed",
        "Kept copy differs",
        "The store of verified artifacts holds other bytes under this digest than those that were just verified.",
        "Remove the copy, and find out what has written there.",
    ),
)
