"""The SDK's own transfers of files: in parts, by several threads, gone on with after a break."""

from __future__ import annotations

import json
from typing import Any

from tests.integration.obs_sdk.bench import Bench, check, headers
from tests.integration.sdk_checks import PART, equal, pattern

DATA = pattern(5 * PART + 17, seed=9)


@check()
def a_file_goes_up_in_parts(sdk: Bench) -> None:
    path = sdk.scratch / "up"
    path.write_bytes(DATA)
    answer = sdk.client.uploadFile(sdk.bucket, "a", str(path), partSize=PART, taskNum=3, checkSum=True)
    body = sdk.status(answer, 200)
    equal((body.bucket, body.key, body.etag[-3:]), (sdk.bucket, "a", '-6"'), "bucket, key, end of the ETag")
    equal(sdk.read("a"), DATA, "what was read")


@check(since=(3, 24, 6))
def a_file_goes_up_with_crc64(sdk: Bench) -> None:
    path = sdk.scratch / "up-crc"
    path.write_bytes(DATA)
    sdk.status(sdk.client.uploadFile(sdk.bucket, "a", str(path), partSize=PART, isAttachCrc64=True), 200)
    equal(sdk.read("a"), DATA, "what was read")


@check()
def a_file_comes_down_in_parts(sdk: Bench) -> None:
    sdk.put("a", DATA)
    path = sdk.scratch / "down"
    answer = sdk.client.downloadFile(sdk.bucket, "a", str(path), partSize=PART, taskNum=3, enableCheckpoint=True)
    sdk.status(answer, 200)
    equal(path.read_bytes(), DATA, "the file")


@check()
def an_upload_that_broke_off_goes_on(sdk: Bench) -> None:
    """The record of it says that three parts are there: the SDK sends the others and completes."""
    path = sdk.scratch / "broken"
    path.write_bytes(DATA)
    upload = sdk.begin("a")
    pieces = {number: DATA[(number - 1) * PART : number * PART] for number in range(1, 7)}
    sent = {number: sdk.part("a", upload, number, pieces[number]) for number in (1, 2, 3)}
    parts = [part_record(number, data, done=number in sent) for number, data in pieces.items()]
    record = {"bucketName": sdk.bucket, "objectKey": "a", "uploadFile": str(path), "uploadId": upload}
    etags = [{"partNum": number, "etag": etag} for number, etag in sent.items()]
    status = {"fileStatus": [len(DATA), path.stat().st_mtime], "uploadParts": parts, "partEtags": etags}
    checkpoint = sdk.scratch / "broken.record"
    checkpoint.write_text(json.dumps({**record, **status}))
    some = {"partSize": PART, "enableCheckpoint": True, "checkpointFile": str(checkpoint)}
    sdk.status(sdk.client.uploadFile(sdk.bucket, "a", str(path), **some), 200)
    equal(sdk.read("a"), DATA, "what was read")
    equal(sdk.status(sdk.client.listMultipartUploads(sdk.bucket), 200).upload or [], [], "uploads afterwards")
    equal(headers(sdk.client.getObjectMetadata(sdk.bucket, "a")).get("uploadid"), upload, "the upload that made it")


def part_record(number: int, data: bytes, *, done: bool) -> dict[str, Any]:
    """As the SDK writes it into its checkpoint."""
    return {"partNumber": number, "offset": (number - 1) * PART, "length": len(data), "isCompleted": done}
