"""Clients of OBS and OSS for tests, by ``http.client`` and the documentation's formulas: no code of the emulator."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import ssl
import time
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
        if "x-oss-err" in self.headers:
            return ET.fromstring(base64.b64decode(self.headers["x-oss-err"])).findtext("Code") or ""
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
        return self.send(method, bucket, target, body, **sent)

    def send(self, method: str, bucket: str, target: str, body: bytes | None = None, **headers: str) -> Reply:
        """Send a request as it is, and return the whole answer."""
        self.connection.request(method, target, body, {"Host": self.host(bucket), **headers})
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


OSS_SIGNED = (*SIGNED, "objectMeta", "bucketInfo", "continuation-token", "security-token")


@dataclass
class OssClient(Client):
    """Speaks to OSS; signs as V4 does, or V1. ``additional`` are the names of headers that V4 is to sign as well."""

    domain: str = "oss.test"
    version: str = "v4"
    region: str = "region-1"
    token: str = ""
    additional: tuple[str, ...] = ()

    def signed(
        self, method: str, bucket: str, key: str, query: Mapping[str, str], headers: Mapping[str, str]
    ) -> dict[str, str]:
        """Return the headers of a request with its date and signature."""
        token = {"x-oss-security-token": self.token} if self.token else {}
        if self.version == "v1":
            sent = {"Date": formatdate(self.clock, usegmt=True), **token, **headers}
            return {**sent, "Authorization": f"OSS {self.access_key}:{self.v1(method, bucket, key, query, sent)}"}
        sent = {"x-oss-date": self.moment(), "x-oss-content-sha256": "UNSIGNED-PAYLOAD", **token, **headers}
        scope, signature = self.v4(method, bucket, key, query, sent, sent["x-oss-date"])
        listed = f", AdditionalHeaders={';'.join(self.additional)}" if self.additional else ""
        words = f"OSS4-HMAC-SHA256 Credential={self.access_key}/{scope}{listed}, Signature={signature}"
        return {**sent, "Authorization": words}

    def url(
        self, method: str, bucket: str, key: str, expires: int, query: Mapping[str, str] = NONE, **headers: str
    ) -> str:
        """Return the signed target of a request, which then needs no header but these."""
        if self.version == "v1":
            end = str(int(self.now()) + expires)
            asked = {**query, **({"security-token": self.token} if self.token else {})}
            signature = self.v1(method, bucket, key, asked, {"date": end, **headers})
            asked = {**asked, "OSSAccessKeyId": self.access_key, "Expires": end, "Signature": signature}
        else:
            moment = self.moment()
            scope = f"{moment[:8]}/{self.region}/oss/aliyun_v4_request"
            asked = {
                **query,
                "x-oss-signature-version": "OSS4-HMAC-SHA256",
                "x-oss-credential": f"{self.access_key}/{scope}",
                "x-oss-date": moment,
                "x-oss-expires": str(expires),
                **({"x-oss-security-token": self.token} if self.token else {}),
            }
            asked["x-oss-signature"] = self.v4(method, bucket, key, asked, headers, moment)[1]
        return f"/{quote(key, safe='/~')}?{urlencode(asked, quote_via=quote)}"

    def now(self) -> float:
        return time.time() if self.clock is None else self.clock

    def moment(self) -> str:
        return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self.now()))

    def v1(self, method: str, bucket: str, key: str, query: Mapping[str, str], headers: Mapping[str, str]) -> str:
        lower = {name.lower(): value for name, value in headers.items()}
        own = "".join(f"{name}:{lower[name].strip()}\n" for name in sorted(lower) if name.startswith("x-oss-"))
        date = lower.get("x-oss-date") or lower["date"]
        signed = [f"{name}={query[name]}" if query[name] else name for name in sorted(query) if name in OSS_SIGNED]
        resource = (f"/{bucket}/{key}" if bucket else "/") + ("?" if signed else "") + "&".join(signed)
        fields = [method, lower.get("content-md5", ""), lower.get("content-type", ""), date]
        text = "\n".join(fields) + f"\n{own}{resource}"
        return base64.b64encode(hmac.new(self.secret_key.encode(), text.encode(), hashlib.sha1).digest()).decode()

    def v4(
        self, method: str, bucket: str, key: str, query: Mapping[str, str], headers: Mapping[str, str], moment: str
    ) -> tuple[str, str]:
        """Return the scope and the signature."""
        lower = {name.lower(): value.strip() for name, value in headers.items()}
        always = ("content-type", "content-md5", *self.additional)
        names = sorted(name for name in lower if name.startswith("x-oss-") or name in always)
        pairs = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in query.items())
        canonical = [
            method,
            quote(f"/{bucket}/{key}" if bucket else "/", safe="/-_.~"),
            "&".join(f"{name}={value}" if value else name for name, value in pairs),
            "".join(f"{name}:{lower[name]}\n" for name in names),
            ";".join(self.additional),
            "UNSIGNED-PAYLOAD",
        ]
        steps = [moment[:8], self.region, "oss", "aliyun_v4_request"]
        digest = hashlib.sha256("\n".join(canonical).encode()).hexdigest()
        key_of = f"aliyun_v4{self.secret_key}".encode()
        for step in steps:
            key_of = hmac.new(key_of, step.encode(), hashlib.sha256).digest()
        text = "\n".join(["OSS4-HMAC-SHA256", moment, "/".join(steps), digest])
        return "/".join(steps), hmac.new(key_of, text.encode(), hashlib.sha256).hexdigest()
