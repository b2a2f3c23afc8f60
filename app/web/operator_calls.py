"""The call of those who operate the service, as the OpenAPI document describes it."""

from typing import Final

from app.web.call import Call
from app.web.shapes import ref

OPERATOR_CALLS: Final[dict[str, dict[str, Call]]] = {
    "/api/v1/operator": {
        "get": Call(
            id="getOverview",
            tag="Operator",
            summary="How the whole service does",
            description="For operators; everybody else gets 404. Of tasks it tells numbers, times and why they failed, never names, params, results or files.",
            answers={200: ("Queues, workers, throughput and failures", ref("Overview"))},
            problems=(404,),
        )
    }
}
