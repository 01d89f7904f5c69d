"""The recipes of the documents, as they are written there, for tests that run them."""
import os
import re

DOCUMENTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs")


def recipe(document, section, marker):
    """The one block below the heading `section` that has this language, or this first line."""
    with open(os.path.join(DOCUMENTS, document), encoding="utf-8") as file:
        body = re.search(rf"^## {re.escape(section)}\n(.*?)(?=^## |\Z)", file.read(), re.M | re.S)
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", body[1] if body else "", re.M | re.S)
    found = [text for language, text in blocks if marker in (language, text.partition("\n")[0])]
    if len(found) != 1:
        raise AssertionError(f"{len(found)} blocks with {marker!r} in {document}, {section}")
    return found[0]


def adapted(text, replacements):
    """The recipe with paths, ports and names of this run; each must be there to be replaced."""
    for old, new in replacements.items():
        if old not in text:
            raise AssertionError(f"no {old!r} in the recipe: {text}")
        text = text.replace(old, str(new))
    return text
