"""What a reader finds in a PDF."""

from pathlib import Path

from pypdf import PdfReader


def text_of(pdf: Path) -> str:
    """All words of the pages, in their order, with one space between them."""
    return " ".join(" ".join(page.extract_text() for page in PdfReader(pdf).pages).split())
