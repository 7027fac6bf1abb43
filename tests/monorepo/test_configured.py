"""What a file of tasks configures is read for certain, or it is uncertain."""

from pathlib import Path

import pytest

from common_tasks.monorepo.configured import read_tasks

from ..helpers import inv_json, make_entry

KEEP = {"clean": {"keep": ["/dist/"]}}
NS = "from common_tasks import ns\n"
CERTAIN = {
    NS: {},
    f"{NS}ns.configure({KEEP})\n": KEEP,
    f"{NS}ns.configure(options={KEEP})\n": KEEP,
    "import os\n" + NS + "ns.configure({'run': {'env': os.environ}, 'clean': {'keep': ['/dist/']}})\n": KEEP,
    "import structlog\n" + NS + "structlog.configure(processors=[])\n": {},
    "from invoke import Collection\nfrom common_tasks import clean\nns = Collection(clean)\n": {},
    "from invoke import Collection, task\nimport build\nns = Collection()\nns.add_collection(build)\n": {},
    "from celery import shared_task\napp.configure(x)\n": {},  # none of invoke's
    NS + "def test(c):\n    c.run('./configure')\n": {},
}
UNCERTAIN = [
    "from conf import CONF\n" + NS + "ns.configure(CONF)\n",
    NS + "setup = ns.configure\nsetup({'clean': {'keep': ['/dist/']}})\n",
    NS + "ns.configure(dict(clean=dict(keep=['/dist/'])))\n",
    NS + "ns.configure({**OTHER})\n",
    NS + "ns.configure({KEY: {}})\n",
    NS + "ns.configure({'clean': {'keep': [x]}})\n",
    NS + "if ci:\n    ns.configure({'clean': {}})\n",
    NS + "def later():\n    ns.configure({'clean': {}})\n",
    NS + "getattr(ns, 'configure')({})\n",
    NS + "getattr(ns, name)({})\n",
    NS + "ns._configuration['clean'] = {}\n",
    NS + "vars(ns)['_configuration'] = {}\n",
    NS + "type(ns).configure(ns, {'clean': {}})\n",
    NS + "exec(text)\n",
    NS + "from importlib import import_module\nimport_module('x')\n",
    NS + "helper(ns)\n",
    "from mycompany import ns\n",
    NS + "from mycompany import *\n",
    "import mycompany\nns = mycompany.collect()\n",
    "import mycompany\nns = mycompany.ns\n",
    "from invoke import Collection\nns = Collection.from_module(x, config={'clean': {}})\n",
    f"{NS}ns.configure({KEEP})\nns.configure({KEEP})\n",
    NS + "def broken(:\n",
]


@pytest.mark.parametrize("text", CERTAIN)
def test_what_is_written_out_is_read_as_it_stands(tmp_path: Path, text: str) -> None:
    (tmp_path / "tasks.py").write_text(text)
    assert read_tasks(str(tmp_path)) == (CERTAIN[text], None)


@pytest.mark.parametrize("text", UNCERTAIN)
def test_whatever_else_may_configure_something_is_uncertain(tmp_path: Path, text: str) -> None:
    (tmp_path / "tasks.py").write_text(text)
    found = read_tasks(str(tmp_path))
    assert found.values == {}
    assert found.uncertain
    assert "put those in invoke.yaml" in found.uncertain
    assert "\n" not in found.uncertain


@pytest.mark.parametrize(
    ("tasks", "imports", "module"),
    [
        ("tasks/__init__.py", "from .n import ns\n", "tasks/n.py"),
        ("tasks/__init__.py", "from .n import *\n", "tasks/n.py"),
        ("tasks/__init__.py", "from tasks.n import ns\n", "tasks/n.py"),
        ("tasks/__init__.py", "from .deep.n import ns\n", "tasks/deep/n.py"),
        ("tasks.py", "from n import ns\n", "n.py"),
        ("tasks.py", "import lib.n as other\nns = other.ns\n", "lib/n.py"),
        ("tasks.py", "from lib import n\n" + NS, "lib/n.py"),
        ("tasks.py", "from lib import ns\n", "lib/__init__.py"),
    ],
)
def test_local_modules_that_tasks_import_are_read_too(tmp_path: Path, tasks: str, imports: str, module: str) -> None:
    for name in (tasks, module):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / tasks).write_text(imports)
    (tmp_path / module).write_text(f"{NS}ns.configure({KEEP})\n")
    assert read_tasks(str(tmp_path)) == (KEEP, None)
    (tmp_path / module).write_text(NS + "ns.configure(CONF)\n")
    assert read_tasks(str(tmp_path)).uncertain


def test_clean_leaves_alone_what_is_uncertain_and_a_status_shows_it(project: Path) -> None:
    (project / "below/dist").mkdir(parents=True)
    (project / "below/tasks.py").write_text(NS + "ns.configure(CONF)\n")
    entry = make_entry(project / "below/.tmp/x")
    [_, below] = inv_json(project, "clean", "-a", code=1)["projects"]
    assert below["error"].startswith(f"'{project}/below/tasks.py' may configure something in line 2")
    assert entry.exists()
    assert (project / "below/dist").exists()
    [_, below] = inv_json(project, "temp-status", "-a")["projects"]
    assert [row["path"] for row in below["entries"]] == [".tmp/x"]
