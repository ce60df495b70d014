"""Uploads that may be interrupted, of a server too: announced, sent piece by piece, then named by an order."""

from typing import Annotated

from fastapi import APIRouter, Header, Path, Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from sheepfold.farm import uploads
from sheepfold.farm.uploads import Upload
from sheepfold.model.errors import IncompleteUpload
from sheepfold.protocols.rest import wire
from sheepfold.protocols.rest.callers import CustomerHere, FarmHere

router = APIRouter(tags=["jobs"])

UploadInPath = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", description="The upload's id.")]
OffsetInHeader = Annotated[int, Header(alias="Upload-Offset", ge=0, le=wire.MOST_ID,
                                       description="Where the body goes: the upload's present end, in bytes.")]
_PIECE = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.post("/uploads", status_code=201, summary="Announce an upload")
def add_upload(response: Response, farm: FarmHere, account: CustomerHere, asked: wire.UploadAsked) -> wire.UploadOut:
    """Announce a file by its size and SHA-256; the key needs the scope `order`.

    The account's upload of the same file is returned where there is one, so that who was interrupted goes on with it.
    It is kept for a day after its last byte, or after it was last announced or ordered.
    """
    made = uploads.create_upload(farm, account, asked.size_bytes, asked.sha256)
    response.headers["Location"] = f"{wire.BASE}/uploads/{made.id}"
    return _out(made)


@router.get("/uploads/{upload_id}", summary="Look at an upload")
def get_upload(farm: FarmHere, account: CustomerHere, upload_id: UploadInPath) -> wire.UploadOut:
    """Look how much of an upload is here."""
    return _out(uploads.find_upload(farm, account, upload_id))


@router.head("/uploads/{upload_id}", status_code=204, response_class=Response, summary="Ask where an upload goes on")
def head_upload(farm: FarmHere, account: CustomerHere, upload_id: UploadInPath) -> Response:
    """Answer with the header `Upload-Offset` alone."""
    return _offset(uploads.find_upload(farm, account, upload_id))


@router.patch("/uploads/{upload_id}", status_code=204, response_class=Response, summary="Go on with an upload",
              openapi_extra=_PIECE)
async def patch_upload(
    request: Request, farm: FarmHere, account: CustomerHere, upload_id: UploadInPath, offset: OffsetInHeader
) -> Response:
    """Append the body; what arrives is kept, also of a request that is interrupted. 409 where the offset is another.

    The last byte proves the digest: 400 where it is not the one announced, and the upload is removed.
    """
    with uploads.appending(farm, account, upload_id, offset) as appender:
        try:
            async for chunk in request.stream():
                if chunk:
                    await run_in_threadpool(appender.write, chunk)
        except ClientDisconnect as error:
            raise IncompleteUpload("The client went away in the middle of its upload.") from error
    return _offset(await run_in_threadpool(uploads.settle_upload, farm, account, upload_id))


@router.delete("/uploads/{upload_id}", status_code=204, response_class=Response, summary="Remove an upload")
def delete_upload(farm: FarmHere, account: CustomerHere, upload_id: UploadInPath) -> Response:
    """Remove an upload; jobs that were ordered with it keep their file."""
    uploads.drop_upload(farm, account, upload_id)
    return Response(status_code=204)


def _out(upload: Upload) -> wire.UploadOut:
    return wire.UploadOut(upload=upload.id, size_bytes=upload.size_bytes, sha256=upload.sha256,
                          offset_bytes=upload.offset_bytes)


def _offset(upload: Upload) -> Response:
    return Response(status_code=204, headers={"Upload-Offset": str(upload.offset_bytes)})
