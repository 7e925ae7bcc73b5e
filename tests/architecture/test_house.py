"""The rules of the house that no other tool checks, over every file that git has."""

import ast
import re
import tomllib
from collections.abc import Iterator

from tests.architecture.repository import CODE, PRODUCT, ROOT, files, python_files, relative, text_of, tree_of

LONGEST = 600
HOSTS = {
    "127.0.0.1": "the loopback of examples",
    "www.apache.org": "the licence",
    "json-schema.org": "the dialect of our schema",
    "www.w3.org": "the namespace of SVG",
}
"""Hosts that a URL in this repository may name, and why."""
REGISTRIES = [
    ("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("npmjs", "com"), ("docker", "io"), ("docker", "com"),
    ("quay", "io"), ("ghcr", "io"), ("gcr", "io"), ("golang", "org"), ("crates", "io"), ("debian", "org"),
    ("ubuntu", "com"), ("alpinelinux", "org"), ("anaconda", "org"), ("rubygems", "org"), ("maven", "org"),
]  # fmt: skip
"""Domains of package registries: where packages come from is the machine's business."""
MAY_SLEEP = {
    "tests/support/wait.py": "looks at a condition again and again; lets the moment of an accident be a random one",
    "tests/support/scenario_stage.py": "the clock of scenarios jumps",
    "tests/support/proxy.py": "a slow link is slow",
}
UNFINISHED = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b")
ENDINGS = (".py", ".md", ".toml", ".txt", ".yaml", ".yml", ".proto", ".cfg", "")

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def texts() -> Iterator[tuple[str, str]]:
    """Yield name and text of every file that people wrote."""
    for file in files():
        if file.suffix in ENDINGS and "_pb" not in file.parent.name:
            yield relative(file), file.read_text(encoding="utf-8")


def public_definitions(tree: ast.Module) -> Iterator[tuple[str, Definition]]:
    """Yield every public class, function and method, with its dotted name."""

    def below(node: ast.Module | ast.ClassDef, prefix: str) -> Iterator[tuple[str, Definition]]:
        for child in node.body:
            if isinstance(child, Definition) and not child.name.startswith("_"):
                yield f"{prefix}{child.name}", child
                if isinstance(child, ast.ClassDef):
                    yield from below(child, f"{prefix}{child.name}.")

    return below(tree, "")


def test_no_file_is_too_long() -> None:
    lengths = {relative(file): len(file.read_text(encoding="utf-8").splitlines()) for file in python_files()}
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}


def test_every_module_says_what_it_is() -> None:
    """Packages that only hold tests may be empty."""
    silent = [
        relative(file)
        for file in python_files()
        if ast.get_docstring(tree_of(file)) is None and file.read_text(encoding="utf-8").strip()
    ]
    assert silent == []


def test_everything_public_says_what_it_is() -> None:
    folders = (*PRODUCT, "lab", "tools", "protos")
    silent = [
        f"{relative(file)}: {name}"
        for file in (*python_files(*folders), *(ROOT / "tests/support").glob("*.py"))
        for name, definition in public_definitions(tree_of(file))
        if ast.get_docstring(definition) is None and not _replaces(definition)
    ]
    assert silent == []


def _replaces(definition: Definition) -> bool:
    """Overloads and the methods of a standard interface are described where they come from."""
    names = {
        node.id for decorator in definition.decorator_list for node in ast.walk(decorator) if isinstance(node, ast.Name)
    }
    return bool(names & {"overload", "override"})


def test_nothing_is_a_stub() -> None:
    """In the product a body does something; only ports (Protocol) have bodies of words alone."""
    stubs: list[str] = []
    for file in python_files(*PRODUCT):
        for parent in ast.walk(tree_of(file)):
            if isinstance(parent, ast.ClassDef) and any("Protocol" in ast.dump(base) for base in parent.bases):
                continue
            for node in getattr(parent, "body", []) if isinstance(getattr(parent, "body", None), list) else []:
                if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    continue
                # A group of commands is described by its docstring, and click does the rest.
                group = any(ast.unparse(decorator).endswith("group()") for decorator in node.decorator_list)
                if not group and all(map(_says_nothing, node.body)):
                    stubs.append(f"{relative(file)}:{node.lineno} {node.name}")
    assert stubs == []


def _says_nothing(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Raise) and statement.exc is not None:
        return "NotImplementedError" in ast.dump(statement.exc)
    return isinstance(statement, ast.Pass) or (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    )


def test_nothing_is_marked_as_unfinished() -> None:
    assert [name for name, text in texts() if UNFINISHED.search(text)] == []


def test_only_known_hosts_are_named() -> None:
    named = {(name, host) for name, text in texts() for host in re.findall(r"\bhttps?://([\w.-]+)", text)}
    assert {(name, host) for name, host in named if host not in HOSTS} == set()


def test_no_package_registry_is_named() -> None:
    pattern = re.compile("|".join(rf"\b{re.escape('.'.join(labels))}\b" for labels in REGISTRIES))
    assert [name for name, text in texts() if pattern.search(text)] == []


def test_no_path_of_a_machine_is_named() -> None:
    """A home directory, or the folder in which this repository happens to stand.  In an image /root is everybody's."""
    pattern = re.compile(r"(?<![\w.])/(?:home|Users|work)/\w|(?<![\w.])/root/(?!\.cache\b)\w")
    assert [name for name, text in texts() if pattern.search(text)] == []
    assert [name for name, text in texts() if str(ROOT) in text and len(ROOT.parts) > 2] == []


def test_every_test_is_run() -> None:
    settings = tomllib.loads(text_of("pyproject.toml"))["tool"]["pytest"]["ini_options"]
    assert settings["testpaths"] == ["tests"]
    tests = [relative(file) for file in files(".py") if file.name.startswith("test_")]
    assert [name for name in tests if not name.startswith("tests/")] == []
    assert [name for name in tests if not _has_tests(name)] == []
    makefile = text_of("Makefile")
    everything = re.search(r"^test:.*\n(?:\t.*\n)+", makefile, re.MULTILINE)
    assert everything is not None
    assert re.search(r"\$\(BIN\)/pytest [^\n]*$", everything[0], re.MULTILINE)
    assert not re.search(r"pytest .*\btests/", everything[0]), "`make test` runs all of them"
    fast = re.search(r"^FAST := (.*)$", makefile, re.MULTILINE)
    assert fast is not None
    kinds = {"/".join(name.split("/")[:2]) for name in tests}
    assert kinds - set(fast[1].split()) == {"tests/integration"}, "`make check` runs all that need no daemon"


def _has_tests(name: str) -> bool:
    return any(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
        for node in ast.walk(tree_of(ROOT / name))
    )


def test_no_test_waits_for_time_to_pass() -> None:
    """Only ``tests.support.wait`` sleeps; ``sleep(0)`` gives others their turn and waits for nothing."""
    sleepers = set()
    for file in python_files("tests"):
        for node in ast.walk(tree_of(file)):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = ast.unparse(node.func)
            zero = isinstance(node.args[0], ast.Constant) and node.args[0].value == 0
            if name in {"time.sleep", "asyncio.sleep", "sleep"} and not zero:
                sleepers.add(relative(file))
    assert sleepers == MAY_SLEEP.keys()


def test_all_code_is_typed() -> None:
    """Every folder with Python in it is given to mypy, by pyproject.toml or by the Makefile."""
    typed = re.search(r"^TYPED := (.*)$", text_of("Makefile"), re.MULTILINE)
    assert typed is not None
    folders = {relative(file).split("/")[0] for file in files(".py")}
    assert folders - {"protos"} == {*PRODUCT, *typed[1].split()} & folders
    assert set(CODE) >= folders
