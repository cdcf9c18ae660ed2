"""What the disposable processes can do, by name. A new kind of file is one line here and one function in its feature.

A reader is a function of (question, blobs) that returns (answer, blobs): question and answer are JSON, blobs are bytes.
It is named and not imported, so that only the process that runs it loads what it needs, and features stay above this
package. It may raise any ``AppError``; whatever else it raises means that the file cannot be read.
"""

from dataclasses import dataclass

MB = 1_000_000


@dataclass(frozen=True)
class Reader:
    function: str
    """``module:name``."""
    seconds: int = 20
    """Processor time for one file."""
    memory_mb: int = 2_000
    """Address space of the process, what it has loaded included; twice the file's size is added."""
    most_answer_mb: int = 200


READERS = {
    "picture": Reader("app.images.reading.reader:prepared"),
    "clean_original": Reader("app.images.reading.reader:clean_original", seconds=40),
    "palette": Reader("app.images.reading.reader:palette", memory_mb=1_000, most_answer_mb=1),
    "logo": Reader("app.brand_kits.reading.reader:logo", memory_mb=1_500, most_answer_mb=60),
    "font": Reader("app.brand_kits.reading.reader:font", seconds=30, memory_mb=1_500, most_answer_mb=60),
    "guideline": Reader(
        "app.brand_kits.guidelines.reading.reader:guideline", seconds=75, memory_mb=1_500, most_answer_mb=60
    ),
    "start_picture": Reader("app.generations.start_pictures.reader:start_picture"),
    "mask": Reader("app.generations.start_pictures.reader:mask", memory_mb=1_000),
    "smaller_copy": Reader("app.gallery.copy_reader:smaller_copy", memory_mb=1_000),
    "checked_texts": Reader("app.voice.reading.reader:checked", memory_mb=1_500),
    "preview_of_texts": Reader("app.voice.reading.reader:preview", memory_mb=1_500),
    "drafts_of_texts": Reader("app.voice.reading.reader:drafts", memory_mb=1_500),
    "adapter_report": Reader("app.adapters.imports.header_reader:report", memory_mb=1_500, most_answer_mb=50),
    "adapter_header": Reader("app.adapters.imports.header_reader:header", memory_mb=1_500, most_answer_mb=50),
}
