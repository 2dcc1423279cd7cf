"""A hook of mkdocs: pages of the site that stand outside docs/, and links as they are written for GitHub.

Links are written as GitHub reads them: relative to their own file. Where one leads to such a page, or from such a page
into docs/, it is put right here, so no page is written twice. One that leads anywhere else fails the build.
"""

import posixpath
import re

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

# What stands outside docs/: its place in the repository, and in the site.
PLACES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "LICENSE": "license.txt",
    "corpora/skerrivane/README.md": "corpus.md",
    "raft/models/mini/weights/README.md": "mini-card.md",
}
# GitHub shows the README of a folder that is linked.
TARGETS = PLACES | {posixpath.dirname(path): place for path, place in PLACES.items() if path.endswith("/README.md")}
SOURCES = {place: path for path, place in PLACES.items()}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    root = posixpath.dirname(config.config_file_path)
    for path, place in PLACES.items():
        files.append(File.generated(config, place, abs_src_path=posixpath.join(root, path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    place = page.file.src_uri
    folder = posixpath.dirname(SOURCES.get(place, f"docs/{place}"))

    def led(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(folder, link["target"]))
        found = TARGETS.get(target, target.removeprefix("docs/") if target.startswith("docs/") else None)
        return f"]({posixpath.relpath(found, posixpath.dirname(place) or '.')}{link['anchor']})" if found else link[0]

    return re.sub(r"\]\((?![a-z]+:)(?P<target>[^)#\s]+)(?P<anchor>(?:#[^)\s]*)?)\)", led, markdown)
