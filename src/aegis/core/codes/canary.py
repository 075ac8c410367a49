"""Reasons of the canary gate."""

from __future__ import annotations

from aegis.core.codes.code import Code

TABLE: tuple[Code, ...] = (
    # --- the policy ---------------------------------------------------------------------------------------------------
    Code(
        "canary.policy_incomplete",
        "The section canary cannot judge a rollout",
        "It lacks a metric, or a metric says too little or contradicts itself, so it would watch less than it seems.",
        "Correct the place that the message names; `aegis init --gates …` writes a section to compare with.",
    ),
    Code(
        "canary.selector_invalid",
        "A selector is more than a counter's name with matchers",
        "Evidence is made of counters as they were scraped; what a function or a recording rule made of them is none.",
        "Name the counter itself, with label matchers.",
    ),
    Code(
        "canary.sides_unclear",
        "Canary and stable can't be told apart",
        "Series that could be of either side prove nothing about one of them.",
        "Name the pod template's hashes of both, and set canary.rollout.hash-label.",
    ),
    # --- reading samples ----------------------------------------------------------------------------------------------
    Code(
        "canary.prometheus_unavailable",
        "Prometheus did not answer",
        "It was unreachable, or in trouble; nothing is added to the evidence meanwhile.",
        "Look whether it runs and can be reached from here.",
    ),
    Code(
        "canary.prometheus_refused",
        "Prometheus does not let us read",
        "The credentials are missing, have ended, or lack a permission.",
        "Give canary.prometheus a bearer token, a region for SigV4, or the tenant.",
    ),
    Code(
        "canary.prometheus_unsafe",
        "A secret would travel in the clear",
        "Plain HTTP shows a token to everyone on the way.",
        "Use https.",
    ),
    Code(
        "canary.token_missing",
        "The credentials for Prometheus are missing",
        "The policy names a variable, a file or a region for which there is nothing here.",
        "Set the variable from a secret, mount the file, or take the key out of the policy.",
    ),
    Code(
        "canary.query_refused",
        "Prometheus refused a query",
        "It can't read or evaluate a selector of the policy.",
        "Correct the selector; try it in Prometheus itself.",
    ),
    Code(
        "canary.answer_malformed",
        "Prometheus's answer can't be read",
        "What is not exactly an answer of its API may be anything, e.g. a proxy's login page.",
        "Look what stands between, and correct the address.",
    ),
    Code(
        "canary.answer_too_large",
        "Prometheus's answer is too large",
        "A look is bounded in bytes and series, so that it ends.",
        "Narrow the selectors with matchers.",
    ),
    Code(
        "canary.answer_partial",
        "Prometheus answered with a part of the data",
        "The part that is missing may be the one with the errors; and when it comes back it looks like new events.",
        "Look at the stores behind it; the next look reads again what this one could not.",
    ),
    Code(
        "canary.histogram_native",
        "The metric is a native histogram",
        "Its buckets are no series of their own, so they can't be counted from scrape to scrape.",
        "Keep the classic buckets too, and select NAME_bucket.",
    ),
    Code(
        "canary.series_doubled",
        "The same events are told twice",
        "Two jobs or two replicas that scrape one pod double each event, and evidence would grow twice as fast.",
        "Add a matcher for one of them to the selector, or ask a store that deduplicates.",
    ),
    Code(
        "canary.counters_invalid",
        "The kept counters can't be read",
        "Without them a re-run counts events twice, or takes old ones for new.",
        "Delete the state and begin the watch anew; if you did not expect this, look for who wrote it.",
    ),
    # --- judging ------------------------------------------------------------------------------------------------------
    Code(
        "canary.worse",
        "The canary is worse",
        "The evidence against it is stronger than chance gives a good canary, however often one looks.",
        "Look at the metric that is named; keep the stable version, and revert the change in the repository.",
    ),
    Code(
        "canary.not_worse",
        "The canary is not worse",
        "A canary as bad as the policy's margin would hardly ever have looked like this one.",
        "Nothing to do: it may be promoted.",
    ),
    Code(
        "canary.undecided",
        "There is not enough evidence yet",
        "Without enough requests and bad events, a good canary and a bad one look alike.",
        "Give it more traffic or time, or set a floor below which nobody minds; `forecast` says what can be seen when.",
    ),
    Code(
        "canary.no_data",
        "The canary gives no samples",
        "A pod that nobody scrapes may be failing; silence never promotes.",
        "Look whether Prometheus scrapes the canary's pods, and whether they run.",
    ),
    Code(
        "canary.plan_invalid",
        "The plan contradicts itself",
        "A judge with values that exclude each other would decide by accident, or never.",
        "Correct the value that the message names.",
    ),
    Code(
        "canary.increment_invalid",
        "A count that is none",
        "NaN, infinity and negative growth compare as false with every threshold, so they must not become evidence.",
        "Look at the metric's query, and at what the pod exposes.",
    ),
    Code(
        "canary.state_other",
        "The saved state belongs to something else",
        "Evidence of another rollout or of another policy says nothing about this one.",
        "Give every rollout a state of its own, and leave the policy alone while it is judged.",
    ),
    Code(
        "canary.state_invalid",
        "The saved state can't be read",
        "To begin again would be a second chance for a bad canary, so a damaged state is not replaced by an empty one.",
        "Restore the file, or abort the rollout and start another.",
    ),
    Code(
        "canary.state_busy",
        "Another run uses the saved state",
        "Two runs that go on from the same state would overwrite what the other one decided.",
        "Wait for the other run; give every rollout a state of its own, and one job at a time.",
    ),
    Code(
        "canary.recording_invalid",
        "The recording can't be read",
        "What is not exactly what a watch has recorded would replay something that never happened.",
        "Record it anew by `aegis canary watch --record`.",
    ),
    Code(
        "canary.recording_other",
        "The recording was made with other metrics",
        "It holds no answer to a query of this policy, and no answer is not the same as no events.",
        "Replay it by the policy that it was made with.",
    ),
    Code(
        "canary.state_lost",
        "The saved state of an earlier attempt is gone",
        "To begin again without it would be a second chance for a bad canary, that nobody has given it.",
        "Keep the state folder between attempts as docs/canary.md shows; or say `without-state: begin`.",
    ),
    Code(
        "canary.state_forged",
        "The saved state was written by somebody else",
        "A cache can be written by other jobs, and a decision in it would be done.",
        "Look who wrote it. After a change of the job's secret, say `without-state: begin`.",
    ),
    Code(
        "canary.state_unsealed",
        "There is no secret to seal the state with",
        "What is kept between attempts could be written by anybody who can write a cache.",
        "Give the job the secret AEGIS_STATE_KEY, or its kubeconfig as AEGIS_KUBECONFIG.",
    ),
    # --- verdicts that a rollout needs --------------------------------------------------------------------------------
    Code(
        "canary.image_unpinned",
        "An image is not named by its digest",
        "A tag can mean another image tomorrow, so nothing that was proven about it stays true.",
        "Deploy by digest: NAME@sha256:….",
    ),
    Code(
        "canary.verdict_missing",
        "An image lacks a verdict that the policy demands",
        "Without it nobody has said that this very image may go on.",
        "Run the gate on the image, sign its predicate.json for the image's digest, and store the bundle.",
    ),
    Code(
        "canary.verdict_invalid",
        "A demanded verdict does not count",
        "It is by a wrong signer, about another image, by another gate, or says something else than PASSED.",
        "Look who wrote it, and have one of the policy's signers sign the gate's own verdict.",
    ),
    Code(
        "canary.verdict_stale",
        "A demanded verdict is too old",
        "What was true then need not be true now.",
        "Run the gate again, and sign and store its new verdict.",
    ),
    # --- a workflow's run ---------------------------------------------------------------------------------------------
    Code(
        "canary.fork",
        "A run for a fork judges no rollout",
        "GitHub gives it neither secrets nor a token, and what a stranger proposes must promote nothing.",
        "Run this gate after a deploy, on the default branch.",
    ),
    # --- the cluster --------------------------------------------------------------------------------------------------
    Code(
        "canary.cluster_configuration",
        "There is no cluster to talk to",
        "Without an address and credentials of a cluster nothing can be looked at or rolled back.",
        "Set KUBECONFIG, or run in a pod with a service account.",
    ),
    Code(
        "canary.cluster_unsafe",
        "The cluster's server is not proven to be it",
        "Whoever stands between would get the token, and could tell any story about a rollout.",
        "Put the cluster's certificate authority into the kubeconfig.",
    ),
    Code(
        "canary.cluster_login",
        "The cluster does not know who we are",
        "The credentials are missing, have ended, or the program that should get them failed.",
        "Log in before this step, or renew the token.",
    ),
    Code(
        "canary.cluster_unavailable",
        "The cluster did not answer",
        "Its API server was unreachable, or in trouble; whether a wish arrived is unknown until it answers again.",
        "Look whether it can be reached from here, and run this again.",
    ),
    Code(
        "canary.cluster_forbidden",
        "The cluster does not let us",
        "A Role is missing for what was asked.",
        "Bind a Role with get on rollouts and patch on rollouts/status.",
    ),
    Code(
        "canary.cluster_conflict",
        "Somebody else changed the rollout meanwhile",
        "What was decided about one state must not be done to another one.",
        "Nothing: it looks anew. If it happens for long, look for who keeps changing it.",
    ),
    Code(
        "canary.cluster_refused",
        "The cluster refused a request",
        "An admission webhook, a proxy or another version of the API does not take it.",
        "Look at the message that came with it.",
    ),
    Code(
        "canary.cluster_answer",
        "The cluster's answer can't be read",
        "What is not exactly a Rollout may be anything, e.g. a proxy's login page.",
        "Look what stands between, and which version of Argo Rollouts is installed.",
    ),
    Code(
        "canary.service_unclear",
        "The address is no service of the cluster",
        "The API server passes requests on to services by their names alone.",
        "Write it as http://SERVICE.NAMESPACE.svc:PORT.",
    ),
    # --- the rollout --------------------------------------------------------------------------------------------------
    Code(
        "canary.rollouts_not_installed",
        "The cluster has no Argo Rollouts",
        "There is no such kind as Rollout, so nothing can be promoted or aborted.",
        "Install it, or choose the right context.",
    ),
    Code(
        "canary.rollout_missing",
        "There is no such rollout",
        "Rollouts of one name may stand in several namespaces; only the one that is named is meant.",
        "Correct namespace and name.",
    ),
    Code(
        "canary.rollout_unfit",
        "The rollout has no canary strategy",
        "Without a canary beside the stable version there is nothing to compare.",
        "Give it canary steps with an endless pause.",
    ),
    Code(
        "canary.act_unfit",
        "The rollout is not where this could be done",
        "An act on a rollout that stands elsewhere would do something else.",
        "Look at the rollout; what the message says must be settled first.",
    ),
    Code(
        "canary.act_unfinished",
        "What was asked of the rollout is not true yet",
        "The wish is in the rollout, and its controller has not fulfilled it in time.",
        "Look whether the controller of Argo Rollouts runs, and whether the stable pods can start.",
    ),
    Code(
        "canary.rollout_changed",
        "Another version is rolled out now",
        "Evidence about one version says nothing about another one.",
        "Judge the new one.",
    ),
    Code(
        "canary.rollout_aborted",
        "The rollout was aborted by something else",
        "Its own analysis, its progress deadline or a person stopped what was found good here.",
        "Look at its message and its analysis runs.",
    ),
    Code(
        "canary.rollout_promoted",
        "The rollout was promoted before it could be aborted",
        "The version that was found worse is the stable one now; an abort no longer helps.",
        "Undo it to the last good revision.",
    ),
    Code(
        "canary.rollout_retried",
        "The aborted rollout was retried",
        "Somebody brought the version back that was found worse.",
        "Ask who did; revert the change in the repository.",
    ),
    Code(
        "canary.no_endless_pause",
        "The rollout would promote itself",
        "Its pauses all end by themselves, so a run that is lost would let a version through that nobody has judged.",
        "Add a step `pause: {}` to the canary's strategy, and let the gate end it.",
    ),
    # --- the judge that is asked over HTTP --------------------------------------------------------------------------
    Code(
        "canary.listen_refused",
        "The judge cannot listen",
        "Without its port nobody can ask it.",
        "Choose a free port, and files of a certificate that fit each other.",
    ),
    Code(
        "canary.not_served",
        "The policy asks for what the judge cannot keep to",
        "Over HTTP it gives a verdict by evidence; a rule that it cannot see to must not seem to be in force.",
        "Take the rule out of the judge's policy, and see to it where the rollout begins.",
    ),
    Code(
        "canary.question_invalid",
        "The judge was asked something else",
        "A question that lacks which version is meant would be answered about another one.",
        "Correct the AnalysisTemplate's URL and the arguments of the Rollout's analysis.",
    ),
    Code(
        "canary.question_unknown",
        "The judge has no policy for this rollout",
        "It answers about the rollouts that its policies name, and about nothing else.",
        "Correct the URL, or give the judge the rollout's policy.",
    ),
    Code(
        "canary.question_denied",
        "Whoever asked the judge brought no token",
        "It answers only who knows its secret.",
        "Give the web metric the header Authorization.",
    ),
    Code(
        "canary.look_slow",
        "The look takes longer than an answer may",
        "Prometheus is slow, or there is much to read; nothing is decided meanwhile.",
        "Nothing, if it is once; else narrow the selectors, or give Prometheus more.",
    ),
    Code(
        "canary.judge_full",
        "The judge keeps as many states as it may",
        "A state that is removed to make room would give its rollout a second chance.",
        "Look who asks about so many rollouts; remove the states of those that have ended.",
    ),
)
