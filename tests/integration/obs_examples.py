"""Worked examples: what a request, its time and a key make, as pages about signatures print it."""

from __future__ import annotations

from tests.integration.raw_requests import Account, Request

#: "Authentication of Signature in a Header", tables 2 to 6, and "... in a URL", tables 3 and 4: request, Expires, text.
VENDOR: dict[str, tuple[Request, int | None, str]] = {
    "getting an object": (
        Request("GET", "bucket", "object.txt", headers={"Date": "Sat, 12 Oct 2015 08:12:38 GMT"}),
        None,
        "GET\n\n\nSat, 12 Oct 2015 08:12:38 GMT\n/bucket/object.txt",
    ),
    "putting an object with a temporary key": (
        Request(
            "PUT",
            "bucket",
            "object.txt",
            headers={
                "User-Agent": "curl/7.15.5",
                "x-obs-date": "Tue, 15 Oct 2015 07:20:09 GMT",
                "x-obs-security-token": "YwkaRTbdY8g7q....",
                "content-type": "text/plain",
            },
        ),
        None,
        (
            "PUT\n\ntext/plain\n\nx-obs-date:Tue, 15 Oct 2015 07:20:09 GMT\n"
            "x-obs-security-token:YwkaRTbdY8g7q....\n/bucket/object.txt"
        ),
    ),
    "putting an object with headers": (
        Request(
            "PUT",
            "bucket",
            "object.txt",
            headers={
                "User-Agent": "curl/7.15.5",
                "Date": "Mon, 14 Oct 2015 12:08:34 GMT",
                "x-obs-acl": "public-read",
                "content-type": "text/plain",
            },
        ),
        None,
        "PUT\n\ntext/plain\nMon, 14 Oct 2015 12:08:34 GMT\nx-obs-acl:public-read\n/bucket/object.txt",
    ),
    "getting an object's ACL": (
        Request("GET", "bucket", "object.txt", {"acl": None}, {"Date": "Sat, 12 Oct 2015 08:12:38 GMT"}),
        None,
        "GET\n\n\nSat, 12 Oct 2015 08:12:38 GMT\n/bucket/object.txt?acl",
    ),
    "putting an object with an MD5": (
        Request(
            "PUT",
            "bucket",
            "object.txt",
            headers={"x-obs-date": "Tue, 15 Oct 2015 07:20:09 GMT", "Content-MD5": "I5pU0r4+sgO9Emgl1KMQUg=="},
        ),
        None,
        "PUT\nI5pU0r4+sgO9Emgl1KMQUg==\n\n\nx-obs-date:Tue, 15 Oct 2015 07:20:09 GMT\n/bucket/object.txt",
    ),
    "a URL": (
        Request("GET", "examplebucket", "objectkey"),
        1532779451,
        "GET\n\n\n1532779451\n/examplebucket/objectkey",
    ),
    "a URL with a temporary key": (
        Request("GET", "examplebucket", "objectkey", {"x-obs-security-token": "YwkaRTbdY8g7q...."}),
        1532779451,
        "GET\n\n\n1532779451\n/examplebucket/objectkey?x-obs-security-token=YwkaRTbdY8g7q....",
    ),
}

AMAZON = Account("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
#: Amazon's page on its version 2, which OBS's V2 is: request and signature, with the key above.
V2: dict[str, tuple[Request, int | None, str]] = {
    "get": (
        Request("GET", "johnsmith", "photos/puppy.jpg", headers={"Date": "Tue, 27 Mar 2007 19:36:42 +0000"}),
        None,
        "bWq2s1WEIj+Ydj0vQ697zp+IXMU=",
    ),
    "put": (
        Request(
            "PUT",
            "johnsmith",
            "photos/puppy.jpg",
            headers={"Date": "Tue, 27 Mar 2007 21:15:45 +0000", "Content-Type": "image/jpeg"},
        ),
        None,
        "MyyxeRY7whkBe+bq8fHCL/2kKUg=",
    ),
    "list": (
        Request(
            "GET",
            "johnsmith",
            query={"prefix": "photos", "max-keys": "50", "marker": "puppy"},
            headers={"Date": "Tue, 27 Mar 2007 19:42:41 +0000"},
        ),
        None,
        "htDYFYduRNen8P9ZfE/s9SuKy0U=",
    ),
    "sub-resource": (
        Request("GET", "johnsmith", query={"acl": None}, headers={"Date": "Tue, 27 Mar 2007 19:44:46 +0000"}),
        None,
        "c2WLPFtWHVgbEmeEG93a4cG37dM=",
    ),
    "list buckets": (
        Request("GET", headers={"Date": "Wed, 28 Mar 2007 01:29:59 +0000"}),
        None,
        "qGdzdERIC03wnaRNKh6OqZehG9s=",
    ),
    "URL": (Request("GET", "johnsmith", "photos/puppy.jpg"), 1175139620, "NpgCjnDzrM+WFzoENXmpNDUsSn8="),
}
