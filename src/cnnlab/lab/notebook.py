"""The list of experiments, and the page that shows them all."""

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cnnlab.lab.finding import Finding

# In the order of the study notes. Each name is a module of this package.
EXPERIMENTS = (
    "edges",
    "laplacian",
    "learn_kernel",
    "parameters",
    "padding_stride",
    "channels",
    "pooling",
    "receptive_field",
    "conv_vs_dense",
    "integral",
    "correlation_vs_convolution",
    "bottleneck",
    "separable",
    "dropout",
    "speed",
    "vanishing_gradient",
    "identity_block",
)

OF_A_PHOTOGRAPH = ("laplacian", "learn_kernel", "pooling")  # the experiments that take `image=`

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>cnnlab: the experiments</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222; }}
section {{ margin: 3rem 0; border-top: 1px solid #ddd; }}
img {{ max-width: 100%; }}
pre {{ background: #f6f6f6; padding: 0.8rem; overflow-x: auto; font-size: 0.8rem; }}
nav {{ columns: 3; }}
</style>
</head>
<body>
<h1>The experiments</h1>
<nav>{links}</nav>
{sections}
</body>
</html>
"""


def index_page(findings: dict[str, "Finding"]) -> str:
    """Build one HTML page with the title, the figure and the text of each experiment."""
    links = "".join(f'<div><a href="#{name}">{name}</a></div>' for name in findings)
    sections = "\n".join(
        f'<section id="{name}">\n<h2>{name}</h2>\n<p>{escape(finding.title)}</p>\n'
        f'<img src="{name}.png" alt="{escape(finding.title)}">\n'
        f"<details><summary>numbers</summary><pre>{escape(finding.text)}</pre></details>\n</section>"
        for name, finding in findings.items()
    )
    return PAGE.format(links=links, sections=sections)
