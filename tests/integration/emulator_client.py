"""A client of OBS for tests, by ``http.client`` and the documentation's formula: nothing of the emulator's own code."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from types import MappingProxyType
from urllib.parse import quote, urlencode
from xml.etree import ElementTree as ET

SIGNED = ("uploads", "uploadId", "partNumber", "delete", "location", "acl", "versionId", "response-content-type")
NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    data: bytes

    @property
    def xml(self) -> ET.Element:
        root = ET.fromstring(self.data)
        for element in root.iter():
            element.tag = element.tag.rpartition("}")[2]
        return root

    def text(self, path: str) -> str:
        found = self.xml.findtext(path)
        assert found is not None, (path, self.data)
        return found

    def texts(self, path: str) -> list[str]:
        return [element.text or "" for element in self.xml.findall(path)]

    @property
    def code(self) -> str:
        """The error's code, also of a HEAD."""
        return self.text("Code") if self.data else self.headers["x-obs-error-code"]

    @property
    def etag(self) -> str:
        return self.headers["etag"].strip('"')


@dataclass
class Client:
    """Speaks to virtual hosts below ``domain`` on one connection, which is kept alive."""

    port: int
    access_key: str
    secret_key: str
    domain: str = "obs.test"
    clock: float | None = None
    tls: ssl.SSLContext | None = None
    connection: http.client.HTTPConnection = field(init=False)

    def __post_init__(self) -> None:
        if self.tls is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        else:
            self.connection = http.client.HTTPSConnection(f"any.{self.domain}", self.port, context=self.tls, timeout=20)

    def host(self, bucket: str) -> str:
        return f"{bucket}.{self.domain}:{self.port}" if bucket else f"{self.domain}:{self.port}"

    def signed(
        self, method: str, bucket: str, key: str, query: Mapping[str, str], headers: Mapping[str, str]
    ) -> dict[str, str]:
        """Return the headers of a request with its date and signature."""
        dated = {"Date": formatdate(self.clock, usegmt=True), **headers}
        lower = {name.lower(): value for name, value in dated.items()}
        own = "".join(f"{name}:{lower[name].strip()}\n" for name in sorted(lower) if name.startswith("x-obs-"))
        date = "" if "x-obs-date" in lower else lower["date"]
        resource = (f"/{bucket}/" if bucket else "/") + quote(key, safe="/~")
        signed = [f"{name}={query[name]}" if query[name] else name for name in sorted(query) if name in SIGNED]
        fields = [method, lower.get("content-md5", ""), lower.get("content-type", ""), date]
        text = "\n".join(fields) + f"\n{own}{resource}{'?' if signed else ''}{'&'.join(signed)}"
        digest = hmac.new(self.secret_key.encode(), text.encode(), hashlib.sha1).digest()
        signature = base64.b64encode(digest).decode()
        return {**dated, "Authorization": f"OBS {self.access_key}:{signature}"}

    def ask(
        self,
        method: str,
        bucket: str = "",
        key: str = "",
        query: Mapping[str, str] = NONE,
        body: bytes | None = None,
        headers: Mapping[str, str] = NONE,
        *,
        sign: bool = True,
    ) -> Reply:
        """Ask, and return the whole answer."""
        sent = self.signed(method, bucket, key, query, headers) if sign else dict(headers)
        target = f"/{quote(key, safe='/~')}{'?' if query else ''}{urlencode(query, quote_via=quote)}"
        self.connection.request(method, target, body, {"Host": self.host(bucket), **sent})
        answer = self.connection.getresponse()
        return Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())

    def begin(self, bucket: str, key: str, **headers: str) -> str:
        """Initiate an upload and return its id."""
        return self.ask("POST", bucket, key, {"uploads": ""}, headers=headers).text("UploadId")

    def part(self, bucket: str, key: str, upload: str, number: int, data: bytes) -> str:
        """Send one part and return its etag."""
        reply = self.ask("PUT", bucket, key, {"partNumber": str(number), "uploadId": upload}, data)
        assert reply.status == 200, reply
        return reply.etag

    def complete(self, bucket: str, key: str, upload: str, parts: list[tuple[int, str]], **headers: str) -> Reply:
        rows = "".join(f'<Part><PartNumber>{number}</PartNumber><ETag>"{etag}"</ETag></Part>' for number, etag in parts)
        data = f"<CompleteMultipartUpload>{rows}</CompleteMultipartUpload>".encode()
        return self.ask("POST", bucket, key, {"uploadId": upload}, data, headers)
