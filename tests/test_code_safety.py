"""Nothing that lalelu reads can become code: no pickles, no shell, no YAML but the safe kind."""

import ast
import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
SOURCES = sorted(path for folder in ("lalelu", "tools") for path in (PROJECT / folder).rglob("*.py"))
MODULES = frozenset({"pickle", "marshal", "shelve", "dill", "joblib", "cloudpickle", "runpy", "code", "pty"})
CALLS = frozenset(
    {"eval", "exec", "compile", "system", "popen", "mktemp", "unsafe_load", "full_load", "allow_pickle"}
)
# file -> what it may do, because
ALLOWED = {
    "tools/export_torch.py": {
        "pickle"
    },  # for the name of the error that PyTorch raises for an unsafe checkpoint
    "tools/judge_config.py": {"yaml.load"},  # with a SafeLoader that reads no dates
}


def dangers(tree: ast.AST) -> set[str]:
    """What in a file may run code that is not lalelu's."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names} & MODULES
        elif isinstance(node, ast.ImportFrom):
            found |= {(node.module or "").partition(".")[0]} & MODULES
        elif isinstance(node, ast.keyword):
            value = node.value.value if isinstance(node.value, ast.Constant) else None
            if (node.arg in ("shell", "allow_pickle") and value is not False) or (
                node.arg == "weights_only" and value is not True
            ):
                found.add(node.arg)
        elif isinstance(node, ast.Call):
            owner = node.func.value if isinstance(node.func, ast.Attribute) else None
            module = owner.id if isinstance(owner, ast.Name) else ""
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in CALLS and module in ("", "os", "tempfile", "yaml"):
                found.add(name)
            if (module, name) in (("yaml", "load"), ("yaml", "load_all")):
                found.add("yaml.load")
            if (module, name) == ("torch", "load") and "weights_only" not in {k.arg for k in node.keywords}:
                found.add("weights_only")
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(PROJECT).as_posix())
def test_a_file_runs_nothing_that_it_reads(path):
    name = path.relative_to(PROJECT).as_posix()
    assert dangers(ast.parse(path.read_text(encoding="utf-8"))) == ALLOWED.get(name, set())


@pytest.mark.parametrize(
    "text",
    [
        "import pickle",
        "from marshal import loads",
        "subprocess.run(x, shell=True)",
        "np.load(x, allow_pickle=True)",
        "torch.load(x)",
        "torch.load(x, weights_only=False)",
        "os.system(x)",
        "eval(x)",
        "yaml.load(x, Loader=yaml.Loader)",
        "yaml.unsafe_load(x)",
        "tempfile.mktemp()",
    ],
)
def test_the_rule_sees_what_it_should(text):
    assert len(dangers(ast.parse(text))) == 1


def test_every_file_that_the_threat_model_names_is_there():
    text = (PROJECT / "SECURITY.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:tests|tools|lalelu|config)/[\w/.]+)`", text))
    assert len(named) > 10
    assert [name for name in named if not (PROJECT / name).exists()] == []
