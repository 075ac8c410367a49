"""A program with counters of Prometheus's own client library, which count what lines on its standard input say.

    python exporter_program.py PORT
    {"code": "500", "times": 3, "seconds": 0.2}

Each line is answered by an empty one when it is counted. It ends with its input.
"""

from __future__ import annotations

import json
import sys

from prometheus_client import Counter, Histogram, start_http_server


def main(port: int) -> None:
    requests = Counter("http_requests", "Requests", ("code",))
    durations = Histogram("http_request_duration_seconds", "Durations", buckets=(0.1, 0.5, 1.0))
    start_http_server(port, "127.0.0.1")
    print(flush=True)
    for line in sys.stdin:
        told = json.loads(line)
        requests.labels(told["code"]).inc(float(told["times"]))
        for _ in range(int(told.get("observed", told["times"]))):
            durations.observe(told["seconds"])
        print(flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
