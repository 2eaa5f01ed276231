"""Uploaded files are fetched once, checked, and read into rows."""

import hashlib
from collections.abc import AsyncIterator

import pytest
from burstline.core.load.plan import DataFile, DataFormat, DataOrder
from burstline.workers.errors import CannotPrepare
from burstline.workers.segments.files import FileCache, check_columns, read_rows

CONTENT = b"sku,qty\nA1,2\nB2,3\n"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Uploads:
    """A store of files that counts downloads."""

    def __init__(self, content: bytes) -> None:
        self.content, self.count = content, 0

    async def download(self, _: str) -> AsyncIterator[bytes]:
        self.count += 1
        for start in range(0, len(self.content), 5):
            yield self.content[start : start + 5]


async def test_a_file_is_downloaded_once_and_then_read_from_disk() -> None:
    uploads = Uploads(CONTENT)
    cache = FileCache(uploads.download)
    assert await cache.fetch(SHA256) == CONTENT
    assert await cache.fetch(SHA256) == CONTENT
    assert uploads.count == 1
    cache.close()


@pytest.mark.parametrize("name", ["../../etc/passwd", "ABC", "g" * 64, SHA256.upper()])
async def test_a_name_that_is_no_digest_is_never_asked_for(name: str) -> None:
    uploads = Uploads(CONTENT)
    cache = FileCache(uploads.download)
    with pytest.raises(CannotPrepare, match="not a SHA-256"):
        await cache.fetch(name)
    assert uploads.count == 0
    cache.close()


async def test_content_that_is_not_what_was_asked_for_is_refused() -> None:
    cache = FileCache(Uploads(b"other").download)
    with pytest.raises(CannotPrepare, match="another content"):
        await cache.fetch(SHA256)
    cache.close()


def data(kind: DataFormat) -> DataFile:
    return DataFile(SHA256, kind, DataOrder.RANDOM, ("sku",))


def test_csv_rows_have_the_header_s_names() -> None:
    assert read_rows(data(DataFormat.CSV), b"\xef\xbb\xbf" + CONTENT)[1] == {"sku": "B2", "qty": "3"}


def test_jsonl_rows_are_objects_and_blank_lines_are_skipped() -> None:
    assert read_rows(data(DataFormat.JSONL), b'{"sku": 1}\n\n{"sku": "x"}\n') == [{"sku": 1}, {"sku": "x"}]


@pytest.mark.parametrize(
    ("kind", "content", "message"),
    [
        (DataFormat.CSV, b"a,b\n1\n", "line 2 has not as many fields"),
        (DataFormat.CSV, b"a,b\n1,2,3\n", "line 2 has not as many fields"),
        (DataFormat.CSV, b"a,b\n", "no rows"),
        (DataFormat.CSV, b"", "no rows"),
        (DataFormat.CSV, b"a\n\xff\n", "not UTF-8: byte 2"),
        (DataFormat.JSONL, b'{"a": 1}\n{a}\n', "line 2 is not JSON"),
        (DataFormat.JSONL, b"[1]\n", "line 1 is not a JSON object"),
    ],
)
def test_a_bad_file_is_a_sentence_with_its_line(kind: DataFormat, content: bytes, message: str) -> None:
    with pytest.raises(CannotPrepare, match=message):
        read_rows(data(kind), content)


def test_a_row_without_a_name_that_templates_need_is_named() -> None:
    check_columns([{"a": 1, "b": 2}], frozenset({"a"}))
    with pytest.raises(CannotPrepare, match="row 2 of the data file has no b"):
        check_columns([{"a": 1, "b": 2}, {"a": 1}], frozenset({"a", "b"}))
