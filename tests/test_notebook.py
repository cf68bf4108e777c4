"""The notebook runs from its first cell to its last."""

import pytest

from tests.conftest import REPOSITORY


@pytest.mark.slow
def test_the_notebook_runs():
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    manager = pytest.importorskip("jupyter_client").KernelManager(kernel_name="python3", transport="ipc")
    notebook = nbformat.read(REPOSITORY / "docs" / "notebook.ipynb", as_version=4)
    runner = nbclient.NotebookClient(
        notebook, km=manager, timeout=300, resources={"metadata": {"path": str(REPOSITORY)}}
    )
    runner.execute()
    printed = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    predictions = next(output["data"]["text/plain"] for output in printed if "drawings" in str(output.get("data")))
    assert [line.split()[3] for line in predictions.splitlines()[1:] if line.split()[2:3] == ["1"]] == ["5", "7", "3"]
