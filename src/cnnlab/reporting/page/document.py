"""One HTML file that carries its data, its style and its programs, and that opens without server or network."""

import base64
import html
import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

FILES = files("cnnlab.reporting.page")
STYLES = ("report.css", "figures.css")
ENTRY = "report"  # the module that starts the page
# The browser itself refuses whatever would load something from outside.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' data:; style-src 'unsafe-inline'; img-src data: blob:; "
    "base-uri 'none'; form-action 'none'"
)


def document(title: str, content: Mapping[str, Any]) -> str:
    """The page with `content`, plain values that `report.js` shows; no text in it can become markup."""
    modules = {
        f"report/{file.name}": f"data:text/javascript;base64,{base64.b64encode(file.read_bytes()).decode()}"
        for file in sorted(FILES.iterdir(), key=lambda file: file.name)
        if file.name.endswith(".js")
    }
    style = "".join(FILES.joinpath(name).read_text(encoding="utf-8") for name in STYLES)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{html.escape(title)}</title>
<style>
{style}</style>
<script type="importmap">{_json({"imports": modules})}</script>
</head>
<body>
<main id="page"></main>
<noscript>This page draws its tables and figures with JavaScript, which is turned off in this browser.</noscript>
<script type="application/json" id="content">{_json(content)}</script>
<script type="module">import "report/{ENTRY}.js";</script>
</body>
</html>
"""


def _json(value: Any) -> str:
    """JSON that cannot end the script element in which it stands."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
