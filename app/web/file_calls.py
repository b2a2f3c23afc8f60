"""The calls about files, as the OpenAPI document describes them."""

from typing import Final

from app.web.api import MOST_LISTED, USUALLY_LISTED
from app.web.call import Call, in_header, in_path, in_query, limit
from app.web.shapes import BINARY, TEXT, ref

_FILE: Final = {**BINARY, "description": "The file, with its name"}
_TASK: Final = in_path("id", "The task")
_UPLOAD: Final = in_path("id", "The upload")
_DOWNLOAD: Final = "Whole, or one range of its bytes: a download that broke off goes on where it was."
_CONDITIONS: Final = (
    in_header("Range", "The bytes wanted, such as bytes=1000-"),
    in_header(
        "If-Range", "The ETag of the answer that the range goes on from: where the file is another, it comes whole"
    ),
    in_header("If-None-Match", "The ETag of what you have"),
)
_DOWNLOADED: Final = {
    "Content-Disposition": "Always an attachment",
    "ETag": "What is another for other bytes",
    "Content-Range": "Which bytes these are, and of how many",
}
_BYTES: Final = {
    200: ("Its bytes", BINARY),
    206: ("The range", BINARY),
    304: ("You have it already", None),
    416: ("The file has no such range; Content-Range says how long it is", None),
}

FILE_CALLS: Final[dict[str, dict[str, Call]]] = {
    "/api/v1/tasks/{id}/artifacts/{name}": {
        "get": Call(
            id="downloadArtifact",
            tag="Tasks",
            summary="Download a file that a task made",
            description=_DOWNLOAD,
            parameters=[_TASK, in_path("name", "The artifact's name", TEXT), *_CONDITIONS],
            headers=_DOWNLOADED,
            answers=_BYTES,
            answer_type="*/*",
            problems=(410,),
        )
    },
    "/api/v1/files": {
        "post": Call(
            id="uploadFile",
            tag="Files",
            summary="Upload a file for a workload's file param",
            body={"type": "object", "required": ["file"], "properties": {"file": _FILE}},
            body_type="multipart/form-data",
            answers={201: ("The file is stored", ref("File"))},
        ),
        "get": Call(
            id="listFiles",
            tag="Files",
            summary="List your uploads, the newest first",
            description="With the bytes that all your files take up, uploads and results together, and the most that they may.",
            parameters=[
                limit(USUALLY_LISTED, MOST_LISTED),
                in_query("cursor", "What was next on the page before"),
            ],
            answers={200: ("A page", ref("FilePage"))},
            problems=(422,),
        ),
    },
    "/api/v1/files/{id}": {
        "get": Call(
            id="getFile",
            tag="Files",
            summary="Look at an upload",
            parameters=[_UPLOAD],
            answers={200: ("The upload", ref("KeptFile"))},
        ),
        "delete": Call(
            id="deleteFile",
            tag="Files",
            summary="Delete an upload",
            description="409 while a task that waits or runs needs it.",
            parameters=[_UPLOAD],
            answers={204: ("It is gone", None)},
            problems=(409,),
        ),
    },
    "/api/v1/files/{id}/content": {
        "get": Call(
            id="downloadFile",
            tag="Files",
            summary="Download an upload",
            description=_DOWNLOAD,
            parameters=[_UPLOAD, *_CONDITIONS],
            headers=_DOWNLOADED,
            answers=_BYTES,
            answer_type="*/*",
        )
    },
}
