"""The report: sections made of blocks, written as HTML and as Markdown."""
