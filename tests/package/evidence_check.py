#!/usr/bin/python3
"""evidence_check.py TREE: the evidence that docs/security.md names is in the tree: files, tests, lines of the unit, links."""
import os
import re
import sys

UNIT = "systemd/holdfast.service.in"


def text_of(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def tests(tree):
    """The sources of all tests."""
    return "\n".join(text_of(os.path.join(folder, name)) for folder, _, names in os.walk(os.path.join(tree, "tests"))
                     for name in names if re.search(r"(_test\.cpp|^test_.*\.py)$", name))


def is_there(name, tree, sources, unit):
    """None: the name is of another kind."""
    if re.fullmatch(r"test_[a-z0-9_]+", name):
        return f"def {name}(" in sources
    if re.fullmatch(r"[A-Z]\w+\.[A-Z]\w+", name):
        return f"({name.replace('.', ', ')})" in sources
    if re.fullmatch(r"[A-Z]\w+=.*", name):
        return name in unit
    if re.match(r"(agent|cmake|config|debian|docs|plugins|systemd|tests)/", name):
        return os.path.exists(os.path.join(tree, name))
    return None


def main():
    tree = sys.argv[1]
    page = text_of(os.path.join(tree, "docs/security.md"))
    sources, unit = tests(tree), text_of(os.path.join(tree, UNIT)).splitlines()
    assert not is_there("Tls.NoSuchTest", tree, sources, unit) and not is_there("NoSuchLine=yes", tree, sources, unit)
    judged = {name: is_there(name, tree, sources, unit) for name in re.findall(r"`([^`]+)`", page)}
    links = re.findall(r"\]\(([^)#:]+)\)", page)
    missing = [name for name, there in judged.items() if there is False]
    missing += [link for link in links if not os.path.exists(os.path.join(tree, "docs", link))]
    found = sum(1 for there in judged.values() if there)
    print(f"{found} pieces of evidence are there, {len(missing)} are not", *missing, sep="\n  ")
    sys.exit(1 if missing or found < 30 else 0)


if __name__ == "__main__":
    main()
