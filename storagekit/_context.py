"""What a caller holds between the two phases of an upload whose source it opens itself.

``init_upload`` returns a context that says from where the source is wanted; ``upload_stream`` takes it back, in the
same process or in another: it is text (``to_json``), and holds no secret. Where the record of the upload lies it does
not say: that is looked up, so that a context which came by a detour cannot have anything else deleted.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

from storagekit._job import Published
from storagekit._record import Record, parse
from storagekit.errors import ConfigurationError


@dataclass(frozen=True)
class UploadContext:
    """An upload that was begun or found.

    ``offset`` is how many bytes of the source the service has without a gap: give ``upload_stream`` the bytes from
    there on. It is the whole size where an earlier run published the object already (``done``).
    """

    offset: int
    record: Record = field(repr=False)
    done: Published | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        place = f"bucket={self.bucket!r}, key={self.key!r}"
        return f"UploadContext({place}, upload_id={self.upload_id!r}, offset={self.offset})"

    @property
    def bucket(self) -> str:
        """Where the object will be."""
        return self.record.bucket

    @property
    def key(self) -> str:
        """Where the object will be."""
        return self.record.key

    @property
    def upload_id(self) -> str:
        """The service's name of the upload."""
        return self.record.upload_id

    @property
    def part_size(self) -> int:
        """Bytes per part, of the first parts at least."""
        return self.record.part_size

    def to_json(self) -> str:
        """Return the context as text."""
        done = asdict(self.done) if self.done else None
        return json.dumps({"offset": self.offset, "record": self.record.to_json().decode(), "done": done})

    @classmethod
    def from_json(cls, text: str) -> UploadContext:
        """Return the context that ``to_json`` wrote. Raises ConfigurationError for anything else."""
        try:
            found = json.loads(text)
            record = parse(found["record"])
            done = Published(**found["done"]) if found["done"] else None
            offset = found["offset"]
        except (ValueError, TypeError, KeyError) as error:
            raise ConfigurationError("this is no upload context", hint="Call init_upload again") from error
        if record is None or type(offset) is not int or offset < 0 or not (done is None or type(done.size) is int):
            raise ConfigurationError("this is no context of this version", hint="Call init_upload again")
        return cls(offset, record, done)
