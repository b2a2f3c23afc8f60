"""The JSON of uploads that are kept, as schemas."""

from typing import Final

from app.web.shapes import BYTES, COUNT, ID, PATH, TEXT, TIME, Schema, ref

_FILE: Final[dict[str, Schema]] = {
    "id": ID,
    "name": TEXT,
    "size": BYTES,
    "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
    "media_type": {"type": "string", "description": "As it was said at the upload"},
    "created_at": TIME,
    "used_at": {"type": ["string", "null"], "format": "date-time", "description": "When a task last took it, about"},
    "expires_at": {**TIME, "description": "Gone after this, unless a task takes it or still needs it"},
    "url": PATH,
}
_PAGE: Final[dict[str, Schema]] = {
    "items": {"type": "array", "items": ref("KeptFile")},
    "next": {"type": ["string", "null"], "description": "The cursor of the next page"},
    "used": {**COUNT, "description": "Bytes of all your files, uploads and results together"},
    "most": {**COUNT, "description": "Bytes that they may have"},
}
FILE_SHAPES: Final[dict[str, Schema]] = {
    name: {"type": "object", "description": description, "required": list(properties), "properties": properties}
    for name, description, properties in (
        ("KeptFile", "An upload, and until when it is kept.", _FILE),
        ("FilePage", "Uploads, the newest first.", _PAGE),
    )
}
