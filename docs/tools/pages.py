"""What the site has beyond the pages in `docs/`: a reference page for each package, and the files that pages link to.

MkDocs calls the functions named `on_...`. A page in `docs/` may link to any file of the project as it lies in the tree,
`../tests/labs/test_resume.py` say, so that the link holds where the text is read without the site; the site carries a
copy of each file so linked.
"""

import ast
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
PACKAGES = ("foundations", "generative", "agents", "explain", "labs")
LEFT_OUT = {"labs.drawings"}
"""Pictures of single labs: of no use to others."""
LINK = re.compile(r"(?<=\]\()(?P<path>(?:\.\./)+[\w./-]+)(?:#L(?P<line>\d+))?(?=\))")
"""A link out of a folder: `](../path)` or `](../path#L12)`."""
NO_SEARCH = "---\nsearch:\n  exclude: true\n---\n"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the reference's pages where the navigation says `Reference: reference/`."""
    pages = ["reference/index.md", *({name[10:-3]: name} for name, _ in reference_pages() if name[10:] != "index.md")]
    for item in config.nav or []:
        if item.get("Reference") == "reference/":
            item["Reference"] = pages
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made: reference, and linked files."""
    made = dict(reference_pages())
    for file in list(files.documentation_pages()):
        folder = posixpath.dirname(file.src_uri)
        for match in LINK.finditer(file.content_string):
            if (path := outside(folder, match["path"])) is not None:
                made.setdefault(f"source/{path}.md", source_page(path))
    for name, content in made.items():
        files.append(File.generated(config, name, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links to files outside `docs/` lead to their copies."""
    folder = posixpath.dirname(page.file.src_uri)

    def to_copy(match: re.Match[str]) -> str:
        path = outside(folder, match["path"])
        if path is None:
            return match[0]
        anchor = f"#L-{match['line']}" if match["line"] else ""
        return posixpath.relpath(f"source/{path}.md", folder or ".") + anchor

    return LINK.sub(to_copy, markdown)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Keep source code out of the search: its words would hide those that explain it."""
    begin = '<details class="mkdocstrings-source"'
    return html.replace(begin, f"{begin} data-search-exclude")


def outside(folder: str, link: str) -> str | None:
    """The file of the project, outside `docs/`, that a link in the folder `docs/FOLDER` leads to; None for another."""
    path = posixpath.normpath(posixpath.join("docs", folder, link))
    return None if path.startswith(("docs/", "..")) or not (ROOT / path).is_file() else path


def source_page(path: str) -> str:
    """A page that shows a file; its line 12 is the anchor `#L-12`."""
    from pygments import highlight  # type: ignore[import-untyped]
    from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]
    from pygments.lexers import get_lexer_for_filename  # type: ignore[import-untyped]

    file = ROOT / path
    formatter = HtmlFormatter(linenos="inline", lineanchors="L", cssclass="highlight")
    code = highlight(file.read_text(encoding="utf-8"), get_lexer_for_filename(file.name), formatter)
    return f"{NO_SEARCH}# `{path}`\n\n{code}\n"


def reference_pages() -> Iterator[tuple[str, str]]:
    """Name and text of the reference's pages: one for each package, its modules one below the other."""
    listed: list[str] = []
    for top in PACKAGES:
        for folder in sorted({file.parent for file in (ROOT / top).rglob("*.py")}):
            package = ".".join(folder.relative_to(ROOT).parts)
            modules = [f"{package}.{file.stem}" for file in sorted(folder.glob("*.py")) if file.stem[:2] != "__"]
            if modules and package not in LEFT_OUT:
                listed.append(f"- [`{package}`]({package}.md): {first_line(folder / '__init__.py')}")
                yield f"reference/{package}.md", package_page(package, folder, modules)
    yield "reference/index.md", "# Reference\n\nAll packages, in the code's own words.\n\n" + "\n".join(listed) + "\n"


def package_page(package: str, folder: Path, modules: list[str]) -> str:
    """The page of one package; of a lab only what a user meets: its settings and its main."""
    part = "\n    options: {members: [Config, main]}" if package == "labs" else ""
    below = "".join(f"::: {module}{part}\n\n" for module in modules)
    return f"# `{package}`\n\n{first_line(folder / '__init__.py')}.\n\n{below}"


def first_line(file: Path) -> str:
    """The first line of a module's docstring, without its full stop."""
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) if file.exists() else None
    return (text or "").partition("\n")[0].removesuffix(".")
