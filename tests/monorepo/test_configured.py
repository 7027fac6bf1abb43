"""What a file of tasks configures is read for certain, or it is uncertain."""

import json
from pathlib import Path

import pytest

from common_tasks.monorepo.configured import read_tasks

from ..helpers import command, git, inv_json, make_entry

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
    "\ufeff" + NS + f"ns.configure({KEEP})\n": KEEP,
    "from common_tasks import ns as base\nns = base\n" + f"base.configure({KEEP})\n": KEEP,
    "import sys\nfrom invoke import Collection\nns: Collection = Collection.from_module(sys.modules[__name__])\n"
    f"ns.configure({KEEP})\n": KEEP,
    "import requests\n" + NS + "def deploy(c, ns):\n    requests.post(ns)\n    namespace = ns + 'x'\n": {},
    NS
    + "def build(c, clean=False):\n    c.run('make', env={'INVOKE_RUN_ECHO': '1'})\nns.add_task(build, 'clean')\n": {},
    NS + "def test(c):\n    c.run('./configure')\n": {},
    NS + "import os\nos.environ['CI'] = '1'\n@task(help={'clean': 'First.'})\ndef x(c, clean=False):\n    pass\n": {},
    NS + "import os\nif os.name != 'nt':\n    ns.configure({'run': {'pty': True}})\n": {},
    "import os\nfrom invoke import Collection\nns = Collection()\n"
    "ns.add_collection(Collection.from_module(os, 'install', auto_dash_names=True))\n": {},
    "import sys\nsys.path.insert(0, '../COMMON')\nfrom common_tasks import clean\nfrom helpers import find\n": {},
    "from invoke import Collection\nimport db\nns = Collection(*[v for v in globals().values()])\n": {},
}
UNCERTAIN = [
    "from conf import CONF\n" + NS + "ns.configure(CONF)\n",
    NS + "setup = ns.configure\nsetup({'clean': {'keep': ['/dist/']}})\n",
    NS + "ns.configure(dict(clean=dict(keep=['/dist/'])))\n",
    NS + "ns.configure({**OTHER})\n",
    NS + "ns.configure({KEY: {}})\n",
    NS + "ns.configure({'clean': {'keep': [x]}})\n",
    NS + "if ci:\n    ns.configure({'clean': {}})\n",
    NS + "if ci:\n    ns.configure({'run': {}, **OTHER})\n",
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
    "from invoke import Collection\nns = Collection.from_module(x, None, {'clean': {}})\n",
    "from invoke import Collection\nns = Collection.from_module(**x)\n",
    "from invoke import Collection\nns = Collection.from_module(*x)\n",
    "from invoke import Collection\nimport mycompany\nns = Collection.from_module(mycompany.load())\n",
    f"{NS}ns.configure({KEEP})\nns.configure({KEEP})\n",
    NS + "def broken(:\n",
    # A collection that comes from what is not read:
    "import mycompany\nns = mycompany.ns or x\n",
    "import mycompany\nns: object = mycompany.collect()\n",
    "import mycompany\nns, other = mycompany.collect()\n",
    "import mycompany\nif (ns := mycompany.collect()):\n    pass\n",
    "import mycompany\nfor ns in mycompany.all():\n    pass\n",
    "import mycompany\nwith mycompany.open() as ns:\n    pass\n",
    "import mycompany\nfrom common_tasks import clean\nglobals()['ns'] = mycompany.ns\n",
    "import mycompany\nfrom common_tasks import clean\nglobals().update(vars(mycompany))\n",
    "import mycompany, sys\nfrom common_tasks import clean\nsys.modules[__name__].ns = mycompany.ns\n",
    "import mycompany, sys\nfrom common_tasks import clean\nsetattr(sys.modules[__name__], 'ns', mycompany.ns)\n",
    "from mycompany import box\nns = box.ns\n",
    "from mycompany import Collection\nns = Collection()\n",
    "from invoke import Collection\nimport mycompany\nns = Collection.from_module(mycompany)\n",
    "try:\n    from mycompany import ns\nexcept ImportError:\n    from common_tasks import ns\n",
    # or goes there:
    NS + "helper(n=ns)\n",
    NS + "helper([ns])\n",
    "import common_tasks\nns = common_tasks.ns\nhelper(common_tasks.ns)\n",
    "from common_tasks import ns as base\nns = base\nhelper(base)\n",
    # What another path or loader brings:
    NS + "import sys\nsys.path.insert(0, '..')\nimport mycompany\n",
    NS + "import sys\nsys.path.append('..')\nfrom mycompany import set_up\nset_up()\n",
    "import sys\nsys.path.append('..')\nimport mycompany\nfrom common_tasks import *\n",
    "import common_tasks, mycompany, sys\nsys.path.append('..')\nns = common_tasks.ns\n",
    "import mycompany, sys\nfrom invoke import Collection\nsys.path.append('..')\nns = Collection()\n"
    "ns.add_collection(mycompany)\n",
    NS + "from importlib.util import spec_from_file_location\n",
    NS + "spec.loader.exec_module(module)\n",
    # Another collection than invoke's:
    f"from invoke import Collection\ndocs = Collection('docs')\ndocs.configure({KEEP})\nns = Collection(docs)\n",
    f"{NS}ns.configure({KEEP})\nns = other\n",
    f"from invoke import Collection\nnamespace = Collection()\nnamespace.configure({KEEP})\nns = Collection()\n",
    f"{NS}app = App()\napp.configure({KEEP})\n",
    f"from common_tasks import ns as base, clean\nbase.configure({KEEP})\n",
    # Variables, and what tasks change when they run:
    NS + "import os\nos.environ['INVOKE_CLEAN_KEEP'] = '/dist/'\n",
    NS + "import os\nos.environ.update(INVOKE_CLEAN_KEEP='/dist/')\n",
    NS + "import os\nfor name in names:\n    os.environ[f'INVOKE_{name}'] = '/dist/'\n",
    NS + "import os\nos.environ['{}_CLEAN_KEEP'.format('INVOKE')] = '/dist/'\n",
    NS + "import os\nos.environ.update(read_them())\n",
    NS + "def clean(c):\n    Context(Config(overrides={'clean': {'keep': ['/dist/']}}))\n",
    NS + "def clean(c):\n    c.config.clean = {'keep': ['/dist/']}\n",
    NS + "def clean(c):\n    c.clean.keep = ['/dist/']\n",
    NS + "def clean(c):\n    c.config['clean']['keep'] = ['/dist/']\n",
    NS + "def clean(c):\n    c.config.update({'clean': {'keep': ['/dist/']}})\n",
    NS + "def clean(c):\n    c.config.update(clean=dict(keep=['/dist/']))\n",
]


@pytest.mark.parametrize("text", CERTAIN)
def test_what_is_written_out_is_read_as_it_stands(tmp_path: Path, text: str) -> None:
    (tmp_path / "tasks.py").write_text(text)
    assert read_tasks(str(tmp_path)) == (CERTAIN[text], None)


def test_only_the_tasks_that_invoke_loads_are_read(tmp_path: Path) -> None:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks/__init__.py").write_text(f"{NS}ns.configure({KEEP})\n")
    assert read_tasks(str(tmp_path)) == (KEEP, None)
    (tmp_path / "tasks.py").write_text(NS)
    assert read_tasks(str(tmp_path)) == ({}, None)


def test_collection_of_a_local_module_that_is_added_to_another_is_not_taken_for_it(tmp_path: Path) -> None:
    (tmp_path / "tasks.py").write_text(NS + "import docs\nns.add_collection(docs)\n")
    (tmp_path / "docs.py").write_text("from invoke import Collection\nns = Collection()\nns.configure({'run': {}})\n")
    assert read_tasks(str(tmp_path)) == ({}, None)
    (tmp_path / "docs.py").write_text(f"from invoke import Collection\nns = Collection()\nns.configure({KEEP})\n")
    assert "have several collections" in (read_tasks(str(tmp_path)).uncertain or "")


@pytest.mark.parametrize("where", ["if ci:\n    ", "def later():\n    "])
def test_settings_of_a_module_that_may_not_be_imported_are_uncertain(tmp_path: Path, where: str) -> None:
    (tmp_path / "tasks.py").write_text(f"{NS}{where}import more\n")
    (tmp_path / "more.py").write_text(f"{NS}ns.configure({KEEP})\n")
    assert "more.py' may configure something in line 2" in (read_tasks(str(tmp_path)).uncertain or "")


def test_tasks_that_are_too_large_to_be_read_are_uncertain(tmp_path: Path) -> None:
    (tmp_path / "tasks.py").write_text(NS + "# x\n" * 2**18 + f"ns.configure({KEEP})\n")
    assert read_tasks(str(tmp_path)).uncertain == f"'{tmp_path}/tasks.py' cannot be read: File too large"


@pytest.mark.parametrize("text", UNCERTAIN)
def test_whatever_else_may_configure_something_is_uncertain(tmp_path: Path, text: str) -> None:
    (tmp_path / "tasks.py").write_text(text)
    found = read_tasks(str(tmp_path))
    assert found.values == {}
    assert found.uncertain
    assert "set clean.artifacts, clean.keep, temp.retention in invoke.yaml" in found.uncertain
    assert "\n" not in found.uncertain


@pytest.mark.parametrize(
    ("tasks", "imports", "module"),
    [
        ("tasks/__init__.py", "from .n import ns\n", "tasks/n.py"),
        ("tasks/__init__.py", "from .n import *\n", "tasks/n.py"),
        ("tasks/__init__.py", "from tasks.n import ns\n", "tasks/n.py"),
        ("tasks/__init__.py", "from .deep.n import ns\n", "tasks/deep/n.py"),
        ("tasks/__init__.py", "from n import ns\n", "tasks/n.py"),  # invoke puts the package itself on the path
        ("tasks/__init__.py", NS + "from . import n\n", "tasks/n.py"),
        ("tasks/__init__.py", NS + "import n\n", "tasks/n.py"),
        ("tasks.py", "from n import ns\n", "n.py"),
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


def test_what_is_uncertain_at_the_monorepos_root_is_so_for_all_projects_unless_invoke_has_loaded_it(
    project: Path,
) -> None:
    git(project, "init", "-q")
    (project / ".gitignore").write_text("dist/\n")
    (project / "below/dist").mkdir(parents=True)
    (project / "below/pyproject.toml").touch()
    (project / "tasks.py").write_text(f"from conf import CONF\n{NS}ns.configure(CONF)\n")
    (project / "conf.py").write_text(f"CONF = {KEEP}\n")
    for folder, words, code in ((project, ["-a"], 1), (project / "below", [], 2)):
        done = command(folder, "clean", "--json", *words, code=code)
        assert f"'{project}/tasks.py' may configure something in line 3" in done.stdout + done.stderr
        assert (project / "below/dist").exists()
    (project / "below/build").mkdir()
    (project / ".gitignore").write_text("dist/\nbuild/\n")
    assert [row["path"] for row in inv_json(project / "below", "clean")["removed"]] == ["build"]


def test_what_files_say_of_all_that_protects_something_makes_tasks_certain(project: Path) -> None:
    git(project, "init", "-q")
    (project / ".gitignore").write_text("dist/\nbuild/\n")
    for name in ("dist", "build"):
        (project / "below" / name).mkdir(parents=True)
    (project / "below/tasks.py").write_text(NS + "ns.configure(CONF)\n")
    settings = {"clean": {"artifacts": ["..."], "keep": ["/dist/"]}}
    (project / "below/invoke.json").write_text(json.dumps(settings))
    assert "may configure something" in command(project, "clean", "-a", code=1).stdout
    (project / "below/invoke.json").write_text(json.dumps({**settings, "temp": {"retention": {}}}))
    [_, below] = inv_json(project, "clean", "-a")["projects"]
    assert [row["path"] for row in below["removed"]] == ["build"]
    assert (project / "below/dist").exists()
