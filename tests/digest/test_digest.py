"""What code means: which edits leave a digest as it is, and which change it."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.core.loop import run
from benchmark.digest import hashes as digest
from benchmark.digest.program import Program
from benchmark.digest.scopes import Refused
from benchmark.entries.entry import Entry
from benchmark.errors import BadEntry
from benchmark.runs import keys as cell_keys
from benchmark.tasks import TASKS, task_class

LOOP = '''
"""The loop."""
from numpy import log

from p.helpers import Base, scaled


def run(task, seed):
    """One run."""
    x = draw(seed, "sample")
    return log(task.fit(scaled(x)))


def draw(seed, purpose):
    if seed < 0:
        raise ValueError(f"seed is {seed}: expected at least 0")
    return seed * 3 + len(purpose)


class Model(Base):
    mean: float
    spread: float = 1.0

    def first(self):
        return self.mean

    def second(self):
        return self.spread
'''
HELPERS = """
from dataclasses import dataclass
from math import sqrt

FACTOR = 2.0
UNUSED = 5
TABLE = {"half": lambda x: x / 2, "root": sqrt}


@dataclass(frozen=True)
class Base:
    size: int
    weight: float = 0.5

    def total(self):
        return self.size * self.weight


def scaled(x):
    return TABLE["half"](x) * FACTOR


def other(x):
    return x + UNUSED


def even(n):
    return n == 0 or odd(n - 1)


def odd(n):
    return n != 0 and even(n - 1)
"""
TASKS_OF_TWO = {
    "p/__init__.py": "",
    "p/loop.py": LOOP,
    "p/helpers.py": HELPERS,
    "p/a.py": "from p.loop import Model\n\n\nclass A:\n    def fit(self, x):\n        return Model(x, 1).first()\n",
    "p/b.py": "from p.helpers import even, other\n\n\nclass B:\n    def fit(self, x):\n        return other(x) if even(x) else x\n",
}


def keys(folder: Path, files: dict[str, str], tasks: tuple[str, ...] = ("a", "b")) -> dict[str, str]:
    """Write a package, and return the digest of each of its task-settings."""
    shutil.rmtree(folder / "p", ignore_errors=True)
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    program = Program(folder, ("p",))
    return {task: program.digest("p.loop", f"p.{task}") for task in tasks}


def changed(folder: Path, *edits: tuple[str, str, str]) -> set[str]:
    """The task-settings whose digest some edits change: file, old text, new text."""
    before = keys(folder, TASKS_OF_TWO)
    files = dict(TASKS_OF_TWO)
    for name, old, new in edits:
        assert old in files[name]
        files[name] = files[name].replace(old, new)
    after = keys(folder, files)
    return {task for task in before if before[task] != after[task]}


HELPER, LOOP_FILE = "p/helpers.py", "p/loop.py"


@pytest.mark.parametrize("edit", [
    (LOOP_FILE, '"""One run."""', '"""Another text."""'),
    (LOOP_FILE, '    """One run."""\n', ""),
    (LOOP_FILE, "    x = draw", "    # Why.\n\n    x = (draw)"),
    (LOOP_FILE, "expected at least 0", "a negative one has no stream"),
    (LOOP_FILE, 'f"seed is {seed}: expected at least 0"', '"no such seed"'),
    (LOOP_FILE, "def draw(seed, purpose):", "def draw(seed: int, purpose: 'str | None') -> float:"),
    (LOOP_FILE, "    x = draw", "    x: float = draw"),
    (LOOP_FILE, "mean: float", "mean: 'Fraction'"),
    (LOOP_FILE, "from numpy import log", "import numpy as np"),
    (LOOP_FILE, "from p.helpers import", "from .helpers import"),
    (LOOP_FILE, "from numpy import log\n", "from typing import TYPE_CHECKING\nfrom numpy import log\nif TYPE_CHECKING:\n    from p.x import Y\n"),
    (HELPER, "FACTOR = 2.0", "FACTOR: float = 2.0\n'''Which everything is multiplied by.'''"),
    (HELPER, "def other", "def unused():\n    return 1\n\n\ndef other"),
    (HELPER, "def scaled(x):\n", "def scaled(x):\n    ...\n    pass\n"),
    (LOOP_FILE, "\n    def first(self):\n        return self.mean\n\n    def second(self):\n        return self.spread\n",
     "\n    def second(self):\n        return self.spread\n\n    def first(self):\n        return self.mean\n"),
    (HELPER, "from math import sqrt\n", "from math import sqrt\nfrom typing import ClassVar, overload\n"),
    (HELPER, "def even(n)", "from typing import overload\n\n\n@overload\ndef even(n: int) -> bool: ...\n@overload\ndef even(n: str) -> str: ...\ndef even(n)"),
])  # fmt: skip
def test_a_change_of_style_changes_no_key(tmp_path, edit):
    edits = [edit]
    if edit[2] == "import numpy as np":
        edits.append((LOOP_FILE, "return log(", "return np.log("))
    assert changed(tmp_path, *edits) == set()


@pytest.mark.parametrize(("tasks", "edit"), [
    ("ab", (LOOP_FILE, "seed * 3", "seed * 4")),
    ("ab", (LOOP_FILE, "seed * 3", "seed + 3")),
    ("ab", (LOOP_FILE, '"sample"', '"samples"')),
    ("ab", (LOOP_FILE, "seed < 0", "seed <= 0")),
    ("ab", (LOOP_FILE, "raise ValueError", "raise TypeError")),
    ("ab", (LOOP_FILE, "from numpy import log", "from math import log")),
    ("ab", (LOOP_FILE, "spread: float = 1.0", "spread: float = 2.0")),
    ("ab", (LOOP_FILE, "    mean: float\n    spread: float = 1.0", "    spread: float = 1.0\n    mean: float")),
    ("ab", (LOOP_FILE, "spread: float = 1.0", "spread: ClassVar[float] = 1.0")),
    ("ab", (LOOP_FILE, "spread: float = 1.0", "spread = 1.0")),
    ("ab", (LOOP_FILE, "spread: float = 1.0", "spread: float = 1.0\n    third: int = 0")),
    ("ab", (LOOP_FILE, "return self.mean", "return -self.mean")),
    ("ab", (HELPER, "FACTOR = 2.0", "FACTOR = 3.0")),
    ("ab", (HELPER, "FACTOR = 2.0", "FACTOR = 2")),
    ("ab", (HELPER, "x / 2", "x // 2")),
    ("ab", (HELPER, "@dataclass(frozen=True)", "@dataclass")),
    ("ab", (HELPER, "self.size * self.weight", "self.size")),
    ("ab", (HELPER, "FACTOR = 2.0", "import os\nos.environ['X'] = '1'\nFACTOR = 2.0")),
    ("ab", (HELPER, "FACTOR = 2.0", "import numpy\n_before = numpy.seterr(all='ignore')\nFACTOR = 2.0")),
    ("ab", (HELPER, "FACTOR = 2.0", "import sklearn.experimental.enable_halving_search_cv\nFACTOR = 2.0")),
    ("ab", (HELPER, "FACTOR = 2.0", "FACTOR = 2.0\nfor name in TABLE:\n    TABLE[name] = sqrt\n")),
    ("ab", (HELPER, "def other", "def register(f):\n    TABLE['new'] = f\n\n\n@register\ndef other")),
    ("b", (HELPER, "UNUSED = 5", "UNUSED = 6")),
    ("b", (HELPER, "return x + UNUSED", "return x - UNUSED")),
    ("b", (HELPER, "n == 0 or", "n == 1 or")),
    ("b", (HELPER, "n != 0 and", "n != 1 and")),
    ("b", (HELPER, "def other(x):", "def other(x, y=1):")),
    ("b", (HELPER, "def other(x):", "def other(x):\n    x: int = 4")),
    ("b", (HELPER, "def other(x):", "import functools\n@functools.cache\ndef other(x):")),
    ("a", ("p/a.py", ".first()", ".second()")),
    ("a", ("p/a.py", "Model(x, 1)", "Model(1, x)")),
    ("a", ("p/a.py", "class A:", "class A:\n    n = 1\n")),
    ("b", ("p/b.py", "else x", "else -x")),
])  # fmt: skip
def test_a_change_of_meaning_changes_the_keys_that_depend_on_it_and_no_others(tmp_path, tasks, edit):
    assert changed(tmp_path, edit) == set(tasks)


def test_moving_splitting_and_reordering_change_nothing(tmp_path):
    """helpers.py becomes a package of three files, the loop moves deeper, definitions are reversed, and one definition occurs twice."""
    before = keys(tmp_path, TASKS_OF_TWO)
    head, *definitions = HELPERS.split("\n\n\n")
    base, scaled, other, even, odd = definitions
    files = TASKS_OF_TWO | {
        "p/helpers.py": "",
        "p/x/__init__.py": "from .one import Base\nfrom p.x.three import scaled",
        "p/x/one.py": f"import dataclasses\n\n\n{base.replace('@dataclass', '@dataclasses.dataclass')}\n",
        "p/x/two.py": f"{odd}\n\n\n{even}\n\n\n{other}\nUNUSED = 5\nUNUSED = 5\n",
        "p/x/three.py": f"{scaled}\nfrom math import sqrt as root\n"
        + head.partition("\n\n")[2].replace("sqrt}", "root}").replace("UNUSED = 5\n", ""),
        "p/loop.py": LOOP.replace("p.helpers", "p.x"),
        "p/b.py": TASKS_OF_TWO["p/b.py"].replace("p.helpers", "p.x.two"),
    }
    del files["p/helpers.py"]
    assert keys(tmp_path, files) == before


@pytest.mark.parametrize(("one", "other", "same"), [
    # lazy imports, aliases and chains are what they lead to
    ("def f():\n    from numpy.linalg import eigh\n    return eigh(1)", "import numpy as np\ndef f():\n    return np.linalg.eigh(1)", True),
    ("def f():\n    import numpy.linalg\n    return numpy.linalg.eigh(1)", "from numpy import linalg as la\ndef f():\n    return la.eigh(1)", True),
    ("def f():\n    from math import log\n    return log(1)", "def f():\n    from numpy import log\n    return log(1)", False),
    ("from math import log\ndef f(log):\n    return log(1)", "from numpy import log\ndef f(log):\n    return log(1)", True),
    ("from math import log\ndef f(x):\n    return [log for log in x]", "from numpy import log\ndef f(x):\n    return [log for log in x]", True),
    ("from math import log\ndef f(x):\n    return [log(y) for y in x]", "from numpy import log\ndef f(x):\n    return [log(y) for y in x]", False),
    ("from math import log\ndef f(x):\n    return [y for y in log(x)]", "from numpy import log\ndef f(x):\n    return [y for y in log(x)]", False),
    ("from math import log\nclass C:\n    log = 1\n    def f(self):\n        return log(1)", "from numpy import log\nclass C:\n    log = 1\n    def f(self):\n        return log(1)", False),
    ("from math import log\nclass C:\n    log = log", "from numpy import log\nclass C:\n    log = log", False),
    ("from math import log\ndef f():\n    def g():\n        return log(1)\n    return g", "from numpy import log\ndef f():\n    def g():\n        return log(1)\n    return g", False),
    ("from math import log\ndef f():\n    log = 1\n    def g():\n        global log\n        return log(1)\n    return g", "from numpy import log\ndef f():\n    log = 1\n    def g():\n        global log\n        return log(1)\n    return g", False),
    ("from math import log\ndef f(x):\n    try:\n        x()\n    except ValueError as log:\n        return log", "from numpy import log\ndef f(x):\n    try:\n        x()\n    except ValueError as log:\n        return log", True),
    ("from math import log\ndef f(x):\n    match x:\n        case [log, *_]:\n            return log", "from numpy import log\ndef f(x):\n    match x:\n        case [log, *_]:\n            return log", True),
    ("from math import log\ndef f(x):\n    if any((log := y) for y in x):\n        return log", "from numpy import log\ndef f(x):\n    if any((log := y) for y in x):\n        return log", True),
    ("from math import log\ndef f(x=log):\n    return x", "from numpy import log\ndef f(x=log):\n    return x", False),
    ("from math import log\ndef f():\n    return lambda x, log=log: log(x)", "from numpy import log\ndef f():\n    return lambda x, log=log: log(x)", False),
    ("from math import log\ndef f():\n    return lambda log: log(1)", "from numpy import log\ndef f():\n    return lambda log: log(1)", True),
    ("try:\n    from math import log\nexcept ImportError:\n    log = None\ndef f():\n    return log(1)", "try:\n    from numpy import log\nexcept ImportError:\n    log = None\ndef f():\n    return log(1)", False),
    # strings
    ("def f():\n    return 'a' f'{1}' 'b'", "def f():\n    return f'a{1}b'", True),
    ("def f(x):\n    return f'{x:.2f}'", "def f(x):\n    return f'{x:.3f}'", False),
    ("def f(x):\n    return f'{x!r}'", "def f(x):\n    return f'{x!s}'", False),
    ("def f(x):\n    message = 'a'\n    raise E(message)", "def f(x):\n    message = 'b'\n    raise E(message)", False),
    ("def f(x):\n    raise E('a', x) from x", "def f(x):\n    raise E('b', x) from x", True),
    ("def f(x):\n    raise E('a', 1)", "def f(x):\n    raise E('a', 2)", False),
    ("def f(x):\n    assert x, 'a'", "def f(x):\n    assert x, 'b'", False),
    ("def f(x):\n    raise E['a']", "def f(x):\n    raise E['b']", False),
    # classes
    ("class C:\n    x: int = 1", "class C:\n    x = 1", True),
    ("class C(B):\n    x: int = 1", "class C(B):\n    x = 1", False),
    ("class C(B):\n    x: int", "class C(B):\n    x: str", True),
    ("class C(B):\n    x: int", "class C(B):\n    pass", False),
    ("class C(B):\n    x: int = 1", "class C(B):\n    x: InitVar[int] = 1", False),
    ("class C(B):\n    x: ClassVar[int]", "class C(B):\n    pass", True),
    ("class C:\n    def f(self): return 1\n    g = f", "class C:\n    def f(self): return 2\n    g = f", False),
    ("class C:\n    @property\n    def x(self): return 1\n    @x.setter\n    def x(self, y): self.y = y",
     "class C:\n    @x.setter\n    def x(self, y): self.y = y\n    @property\n    def x(self): return 1", False),
    ("class C:\n    def f(self): return self.g()\n    def g(self): return 1", "class C:\n    def f(self): return self.g()\n    def g(self): return 2", False),
    # what is reached through a registry, a module, a base, a global
    ("def a(x): return 1\nALL = {'a': a}\ndef f(x):\n    return ALL[x](x)", "def a(x): return 2\nALL = {'a': a}\ndef f(x):\n    return ALL[x](x)", False),
    ("def a(x): return 1\ndef f(x):\n    return globals()[x](x)", "def a(x): return 2\ndef f(x):\n    return globals()[x](x)", False),
    ("ORDER = [1, 2]\ndef f(x):\n    return ORDER", "ORDER = [2, 1]\ndef f(x):\n    return ORDER", False),
    ("A, B = 1, 2\ndef f():\n    return A", "A, B = 1, 2\ndef f():\n    return B", False),
    ("import sys\nif sys.platform == 'linux':\n    N = 1\nelse:\n    N = 2\ndef f():\n    return N", "import sys\nif sys.platform == 'linux':\n    N = 1\nelse:\n    N = 3\ndef f():\n    return N", False),
    ("def f():\n    return -0.0", "def f():\n    return 0.0", False),
    ("def f():\n    return 1", "def f():\n    return True", False),
    ("def f():\n    return 1", "def f():\n    return 1.0", False),
    ("def f(x, /, y): return x", "def f(x, y): return x", False),
    ("def f(*, x=1, y): return x", "def f(*, x, y=1): return x", False),
    ("def f(): return b'a'", "def f(): return 'a'", False),
    ("if __name__ == '__main__':\n    print(1)\ndef f(): return 1", "def f(): return 1", True),
    ("__all__ = ['f']\n__version__ = '1'\ndef f(): return 1", "__version__ = '2'\ndef f(): return 1", True),
    ("from typing import Any\ndef f(x: Any): return 1", "def f(x): return 1", True),
    ("from numpy import array\ndef f(x: 'array | None'): return 1", "def f(x): return 1", True),
    ("from functools import singledispatch\n@singledispatch\ndef f(x): return 1\n@f.register\ndef g(x: int): return 2",
     "from functools import singledispatch\n@singledispatch\ndef f(x): return 1\n@f.register\ndef g(x: str): return 2", False),
])  # fmt: skip
def test_names_scopes_and_strings(tmp_path, one, other, same):
    files = {"p/__init__.py": "", "p/loop.py": ""}
    before = keys(tmp_path, files | {"p/a.py": one}, ("a",))
    assert (keys(tmp_path, files | {"p/a.py": other}, ("a",)) == before) is same


@pytest.mark.parametrize(("module", "reason"), [
    ("from math import *\ndef f(): return log(1)", r"a.py, line 1: `import \*`"),
    ("def f(): return 1\ndef f(): return 2", "a.py: 'f' is defined more than once, and differently"),
    ("X = 1\nX = X + 1\ndef f(): return X", "'X' is defined more than once"),
    ("def f(x): return eval(x)", "line 1: eval reaches what no key can see"),
    ("import importlib\ndef f(x):\n    return importlib.import_module(x).f()", "line 3: importlib.import_module reaches"),
    ("import sys\ndef f(x):\n    return sys.modules[x].f()", "line 3: sys.modules reaches"),
    ("class B: pass\ndef f(): return B.__subclasses__()", "line 2: __subclasses__ reads"),
    ("def f():\n    'Doc.'\n    return len(f.__doc__)", "line 3: __doc__ reads"),
    ("from p.loop import absent\ndef f(): return absent()", "a.py: p.loop has no 'absent'"),
])  # fmt: skip
def test_code_that_hides_its_meaning_is_refused(tmp_path, module, reason):
    with pytest.raises(Refused, match=reason):
        keys(tmp_path, {"p/__init__.py": "", "p/loop.py": "def g(): return 1", "p/a.py": module}, ("a",))


def test_a_subclass_that_its_base_registers_belongs_to_its_whole_module(tmp_path):
    base = "class Base:\n    def __init_subclass__(cls):\n        ALL.append(cls)\n\n\nALL = []\n\n\nclass New(Base):\n    n = 1\n"
    files = {
        "p/__init__.py": "",
        "p/loop.py": "",
        "p/base.py": base,
        "p/a.py": "from p.base import ALL\ndef f(): return ALL[0]",
    }
    before = keys(tmp_path, files, ("a",))
    assert keys(tmp_path, files | {"p/base.py": base.replace("n = 1", "n = 2")}, ("a",)) != before


TRICKY = r"""
from __future__ import annotations
import functools, numpy as np
from typing import NamedTuple
class Row(NamedTuple):
    a: int
    b: "str" = "x"
@functools.lru_cache(maxsize=2)
async def f(x, /, y=1, *rest, z: int = 0x10, **more) -> None:
    async with x as y, y:
        async for i in x: yield i, [j async for j in x if j]
    return
def g(x, width=1_000):
    "Doc."
    text = f"{x!r:>{width}}" f"a{x:.2f}" "b" u"c" f"{x=}" f"{{}}{'q'}" rf"\d{x}" f"plain"
    try: x[1:2, ..., ::3] @= -1e400 + 2j
    except* (OSError, ValueError): raise KeyError(f"no {x}") from None
    match x:
        case {"k": [1, *more], **rest} if more: del more, rest
        case Row(a=1, b=None) | {"z": -1}: pass
        case str() as s: print(s, *x, sep="", **{"end": "", **{}})
        case _: global H; H = lambda *a, b=2, **k: (yield)
    with (open("f") as one, open("g") as two): return {**x, 1: {2, 3}}, {k: v for k, v in x}, (w := 5, not x < 1 <= 2)
    while x: break
    else: nonlocal_ = x if x else ~x
    return b"\x00", None, True, ..., 10**30, 123456789012345678901234567890, text
H = [h for h in range(3) if h]
A, *B = H
"""


def test_digests_are_the_same_under_every_python(tmp_path):
    """Every other supported Python on this machine gives the stored digest of tricky code, and the digests of the task-settings."""
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "__init__.py").write_text(TRICKY)
    script = tmp_path / "digests.py"
    script.write_text(f"""
import sys, types
package = types.ModuleType("benchmark")
package.__path__ = [{str(digest.PACKAGE)!r}]
sys.modules["benchmark"] = package  # without what it imports
from pathlib import Path
from benchmark.digest.program import Program
from benchmark.digest.scopes import Refused
print(Program(Path({str(tmp_path)!r}), ("p",)).digest("p"))
program = Program(Path({str(digest.PACKAGE.parent)!r}))
print(*(program.digest(*{cell_keys.CORE!r}, f"benchmark.tasks.{{name}}") for name in {list(TASKS)!r}))
""")
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    found = {}
    for path in (sys.executable, *pyenv.glob("3.1[1-9].*/bin/python3"), *Path("/usr/bin").glob("python3.1[1-9]")):
        done = subprocess.run([path, "-S", "-W", "error", script], capture_output=True, text=True)
        assert not done.returncode, done.stderr
        found[path] = done.stdout
    assert set(found.values()) == {found[sys.executable]}
    assert found[sys.executable].split()[0] == "26406b5593e236055a06676842a8b77a48a7793c237e2dc820b8df51095bbfa7"
    assert found[sys.executable].split()[1:] == [cell_keys.digest_of_task_setting(name) for name in TASKS]


def edited(tmp_path: Path, module: str, node: ast.AST, text: str) -> Program:
    """This package with another text in place of a node."""
    root, path = digest.PACKAGE.parent, Path(*module.split("."))
    name = path.with_suffix(".py") if (root / path).with_suffix(".py").is_file() else path / "__init__.py"
    shutil.copytree(
        digest.PACKAGE,
        tmp_path / "benchmark",
        ignore=shutil.ignore_patterns("assets", "__pycache__"),
        dirs_exist_ok=True,
    )
    lines = (root / name).read_text().split("\n")
    start, end = node.lineno - 1, node.end_lineno
    head, tail = (
        lines[start].encode()[: node.col_offset].decode(),
        lines[end - 1].encode()[node.end_col_offset :].decode(),
    )
    (tmp_path / name).write_text("\n".join([*lines[:start], head + text + tail, *lines[end:]]))
    return Program(tmp_path)


def of_tasks(program: Program) -> dict[str, str]:
    return {name: program.digest(*cell_keys.CORE, f"benchmark.tasks.{name}") for name in TASKS}


def numbers_and_operators(definition) -> list[tuple[ast.AST, str]]:
    """Places in a definition where a number or operator can be replaced, with the replacement."""
    skipped = {id(inner) for node in ast.walk(definition.node) for part in (getattr(node, "annotation", None), getattr(node, "returns", None),
               *(node.exc.args if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) else ()),
               *(node.values if isinstance(node, ast.JoinedStr) else ())) if part is not None for inner in ast.walk(part)}  # fmt: skip
    found = []
    for node in ast.walk(definition.node):
        if id(node) not in skipped and isinstance(node, ast.Constant) and type(node.value) in (int, float):
            other = node.value + 1
            found.append((node, repr(other if other != node.value else 2 * node.value)))  # 1e100 + 1 is 1e100
        elif id(node) not in skipped and isinstance(node, ast.Compare) and isinstance(node.left, ast.Name):
            found.append((node, f"not ({ast.unparse(node)})"))
        elif isinstance(node, ast.Return) and node.value is not None:
            found.append((node.value, f"[{ast.unparse(node.value)}]"))
    return found


@pytest.mark.parametrize("task", TASKS)
def test_a_number_an_operator_or_a_result_changes_what_depends_on_it(tmp_path, task):
    """One edit in each of many definitions that a task-setting reaches: one in the loop changes all keys, one in the task-setting only its own."""
    program = digest.program()
    before = of_tasks(program)
    closures = {name: program.closure(*cell_keys.CORE, f"benchmark.tasks.{name}") for name in TASKS}
    own = [d for d in closures[task] if sum(d in closure for closure in closures.values()) == 1]
    shared = [
        d for d in closures[task] if d not in own and sorted(TASKS)[len(str(d)) % len(TASKS)] == task
    ]  # a part of them each
    places = [(d, *numbers_and_operators(d)[-1]) for d in [*own, *shared] if numbers_and_operators(d)]
    assert len(places) > 4
    for definition, node, text in places[:: 1 + len(places) // 8]:
        after = of_tasks(edited(tmp_path, definition.module.name, node, text))
        assert {n for n in TASKS if before[n] != after[n]} == {n for n in TASKS if definition in closures[n]}, (
            definition,
            text,
        )
        shutil.rmtree(tmp_path / "benchmark")


VECTORS = str(Path(__file__).parents[1] / "fixtures" / "vectors.csv")
SMALL = {"gaussian": {"d": 2, "n": 12}, "kde": {"data": "moons", "bandwidth": 0.3, "n": 12},
         "language_model": {"n": 8, "epochs": 15, "batch": 8, "learning_rate": 0.003},
         "linear_regression": {"d": 2, "n": 12, "noise_variance": 1.0}, "discrete": {"outcomes": 3, "n": 12},
         "own_gaussian": {"file": VECTORS, "n": 12}, "own_kde": {"file": VECTORS, "bandwidth": 0.3, "n": 12}}  # fmt: skip


@pytest.mark.parametrize("task", TASKS)
def test_all_code_that_runs_counts(root, monkeypatch, task):
    """Every function of ours that a run calls belongs to a definition that is in the key."""
    ran = set()

    def record(frame, event, _):
        code = frame.f_code
        if event == "call" and code.co_name != "<module>" and code.co_filename.startswith(str(digest.PACKAGE)):
            ran.add((Path(code.co_filename), code.co_firstlineno))

    if task == "language_model":  # a few texts are enough
        import transformers.generation.utils  # noqa: F401

        from benchmark.tasks.language_model import task as text

        load = text.load_texts
        monkeypatch.setattr(text, "load_texts", lambda path, layout: load(path, layout)[:60])
    instance = task_class(task)(**SMALL[task])
    for id in (
        "accumulate-subsample",
        "negative-guidance",
        "fresh-data-0.1",
        "verifier-filter-1",
        "model-averaging",
        "likelihood-filter",
        "low-temperature",
    ):
        entry = Entry(root / "baselines" / id)
        make, rules = entry.make, entry.rules
        make()
        sys.setprofile(record)
        try:
            if instance.kind == "vectors" or id == "negative-guidance":
                list(run(instance, make, rules, 0, 2))
        except digest.ThriveError:
            pass  # a knob that the task-setting does not have
        finally:
            sys.setprofile(None)
    seen = {(d.module.path, line) for d in digest.program().closure(*cell_keys.CORE, f"benchmark.tasks.{task}")
            for line in range(min([d.node.lineno, *(x.lineno for x in getattr(d.node, "decorator_list", ()))]), d.node.end_lineno + 1)}  # fmt: skip
    entries = {
        "entry.py",
        "loading.py",
    }  # which make the strategy object, from code and card that are in the key themselves
    assert len(ran) > 40
    assert {place for place in ran if place[0].name not in entries} <= seen


class Rewritten(ast.NodeTransformer):
    """The same code in another style: without docstrings and annotations, with other messages, definitions reversed."""

    def visit_Module(self, node):
        self.generic_visit(node)
        kinds = (ast.FunctionDef, ast.ClassDef)
        moved = [line for line in node.body if isinstance(line, kinds)]
        node.body = [*(line for line in node.body if line not in moved), *reversed(moved)]
        return node

    def visit_FunctionDef(self, node):
        self.generic_visit(node)
        node.returns = None
        for each in ast.walk(node.args):
            if isinstance(each, ast.arg):
                each.annotation = None
        node.body = [
            line for line in node.body if not (isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant))
        ] or [ast.Pass()]
        node.body = [
            ast.Assign([line.target], line.value, lineno=1) if isinstance(line, ast.AnnAssign) and line.value else line
            for line in node.body
        ]
        return node

    def visit_Raise(self, node):
        if isinstance(node.exc, ast.Call):
            node.exc.args = [
                ast.Constant("another message") if isinstance(a, (ast.JoinedStr, ast.Constant)) else a
                for a in node.exc.args
            ]
        return node


MOVED = {
    "core.streams": "base.streams",
    "core.history": "base.history",
    "core.rules": "base.deep.rules",
    "core.pool": "base.pool",
    "tasks.language_model.llama": "base.llama",
}


def test_this_package_rewritten_and_moved_has_the_same_keys(tmp_path):
    """Every module is rewritten, five are moved, one is split in two."""
    for folder in ("base", "base/deep"):
        (tmp_path / "benchmark" / folder).mkdir(parents=True)
        (tmp_path / "benchmark" / folder / "__init__.py").touch()
    rooms = [("", "*.py"), ("core", "*.py"), ("tasks", "**/*.py")]
    for path in [path for room, pattern in rooms for path in (digest.PACKAGE / room).glob(pattern)]:
        name = ".".join(path.relative_to(digest.PACKAGE).with_suffix("").parts)
        text = ast.unparse(ast.fix_missing_locations(Rewritten().visit(ast.parse(path.read_text()))))
        for old, new in MOVED.items():
            text = text.replace(f"benchmark.{old} ", f"benchmark.{new} ").replace(
                "benchmark.tasks.language_model import llama", "benchmark.base import llama"
            )
        if name == "tasks.gaussian":
            head, found, tail = text.partition("def _chi_square_quantile(")
            assert found
            own, _, rest = tail.partition("\n\n")
            (tmp_path / "benchmark" / "quantiles.py").write_text(
                f"from scipy.special import gammaincinv\n\ndef _chi_square_quantile({own}\n"
            )
            head = head.replace("from scipy.special import gammaincinv\n", "")
            text = f"from benchmark.quantiles import _chi_square_quantile\n{head}{rest}"
        target = (tmp_path / "benchmark").joinpath(*MOVED.get(name, name).split(".")).with_suffix(".py")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    program = Program(tmp_path)
    roots = [root.replace("benchmark.core.rules", "benchmark.base.deep.rules") for root in cell_keys.CORE]
    assert {n: program.digest(*roots, f"benchmark.tasks.{n}") for n in TASKS} == of_tasks(digest.program())


def test_an_entry_that_imports_more_of_the_harness_depends_on_it(tmp_path):
    """On the definitions that it imports by name, and on the whole package if an import hides its meaning."""
    strategy = tmp_path / "mine" / "strategy.py"
    strategy.parent.mkdir()
    strategy.write_text(
        "from benchmark import Strategy\ny = Strategy\nfrom benchmark.tasks import gaussian as g\nx = g.statistic\n"
    )
    assert digest.ours_used_in(tmp_path / "mine") == ["benchmark.Strategy", "benchmark.tasks.gaussian.statistic"]
    plain = cell_keys.digest_of_task_setting("kde")
    assert cell_keys.digest_of_task_setting("kde", "benchmark.tasks.gaussian.statistic") != plain
    assert cell_keys.digest_of_task_setting("kde", "benchmark.Strategy") == plain
    hidden = cell_keys.digest_of_task_setting("kde", "benchmark.tasks.task_class")
    assert hidden not in (plain, cell_keys.digest_of_task_setting("kde", "benchmark.tasks.gaussian.statistic"))


@pytest.mark.parametrize(("old", "new", "same"), [
    ("x + 1", "x + 2", False), ("'Doc.'", "'Text.'", True), ("'no'", "'never'", True), ("f(x)", "f(x: 'int') -> float", True),
    ("from benchmark import Strategy", "from benchmark import Pool, Strategy\ny: Pool", True),
    ("import helper", "import helper as h", False), ("LIMIT = 1", "LIMIT: int = 1", True), ("LIMIT = 1", "LIMIT = 2", False),
    ("from math import log", "from numpy import log", False),
])  # fmt: skip
def test_an_entrys_digest_follows_the_meaning_of_its_code(tmp_path, old, new, same):
    code = "from benchmark import Strategy\nB = Strategy\nfrom math import log\nfrom . import helper\nLIMIT = 1\nLIMIT = LIMIT + helper.x\ndef f(x):\n    'Doc.'\n    if log( x ): raise ValueError('no')\n    return x + 1\n"
    assert old in code
    path = tmp_path / "strategy.py"
    path.write_text(code)
    before = digest.digest_of_folder(tmp_path, set())
    path.write_text(code.replace(old, new))
    assert (digest.digest_of_folder(tmp_path, set()) == before) is same


def test_an_entry_that_is_not_python_is_reported(tmp_path):
    (tmp_path / "strategy.py").write_text("def f(:\n")
    with pytest.raises(BadEntry, match="strategy.py: SyntaxError"):
        digest.digest_of_folder(tmp_path, set())


@pytest.mark.parametrize(("one", "other"), [
    ("x = 1", "import nope_missing\nx = 1"),
    ("try:\n    import a\n    X = 1.0\nexcept ImportError:\n    X = 0.5", "try:\n    import b\n    X = 1.0\nexcept ImportError:\n    X = 0.5"),
    ('"""1"""\nX = float(__doc__)', '"""2"""\nX = float(__doc__)'),
    ("from pathlib import Path\nX = len(Path(__file__).read_text())", "from pathlib import Path\nX = len(Path(__file__).read_text())  # more"),
    ("import inspect\nX = len(inspect.getsource(f))", "import inspect\nX = len(inspect.getsource(f))  # more"),
    ("def f(x: 1): ...\nX = f.__annotations__", "def f(x: 2): ...\nX = f.__annotations__"),
])  # fmt: skip
def test_an_entrys_digest_contains_all_that_its_code_can_read_of_itself(tmp_path, one, other):
    found = []
    for text in (one, other):
        (tmp_path / "strategy.py").write_text(text)
        found.append(digest.digest_of_folder(tmp_path, set()))
    assert found[0] != found[1]


def test_a_file_of_an_ignored_name_counts_in_a_subfolder(tmp_path):
    (tmp_path / "strategy.py").write_text("")
    (tmp_path / "data").mkdir()
    found = []
    for text in ("1", "2"):
        (tmp_path / "README.md").write_text(text)
        found.append(digest.digest_of_folder(tmp_path, {"README.md"}))
    (tmp_path / "data" / "README.md").write_text("3")
    found.append(digest.digest_of_folder(tmp_path, {"README.md"}))
    assert found[0] == found[1] != found[2]
