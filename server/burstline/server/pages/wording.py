"""How each number of a report was derived, for the reader who has to defend it."""

HOW: tuple[tuple[str, str], ...] = (
    (
        "Due, sent",
        "A request is due at an instant that the plan alone fixes, whatever the target does (an open model). Sent "
        "counts those that left; one more than 20 ms late is dropped, never sent in a clump.",
    ),
    (
        "Accepted, ok, throttled",
        "Accepted requests were let in by every quota, whatever became of them then; the ok ones among them met the "
        "plan's expectation. An answer is first recorded as it looked, and settled as a throttle only by what AWS's "
        "front says of it, or by playing what was sent through the quotas.",
    ),
    (
        "Latency",
        "From due unless it says otherwise, so no slow answer hides the ones behind it; DNS, connecting and TLS are "
        "inside. Histograms of all workers are added bucket by bucket (at most 0.8 % error), never averaged. A "
        "percentile q is stated from 10/(1-q) samples on; below that it is a dash.",
    ),
    (
        "Concurrency",
        "In flight at t = accepted requests sent by t, less accepted ones completed by t + r, where r is the median "
        "latency of rejections (they do no work, so it is the network and the front).",
    ),
    (
        "A binding quota, and its confidence",
        "What was sent is played through each quota that could answer so. The one whose losses match those seen is "
        "named; where several match, all are listed and none is claimed.",
    ),
    (
        "Limit: declared, default, aws, fitted",
        "Declared comes from the account file, default is AWS's published one (it may differ in your account), aws was "
        "read from the account, fitted was measured in this run.",
    ),
    (
        "Use and headroom",
        "Use is the most this run had, or asked for where requests were refused. Headroom is 1 - use / limit; other "
        "traffic in the account is not seen and lessens it.",
    ),
    (
        "Recommended",
        "What the plan's goal requires, by replay, with room on top; each advice states its own steps, and is replayed "
        "with its own numbers before it is given.",
    ),
    (
        "Limited by us",
        "A second is ours, not AWS's, when more than 0.1 % was dropped, lateness p99 was above 10 ms, or a bin of "
        "10 ms sent more than 1.25 x due + 2. Where that overlaps the evidence, advice is withheld.",
    ),
    ("Cost", "At list prices, without free tier and data transfer: an upper bound."),
)
