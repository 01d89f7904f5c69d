#!/usr/bin/python3
"""sbom_check.py SBOM DEB...: holds a bill of materials against SPDX 2.3 and against what the programs in the packages load.

The libraries are looked for in this machine's own package database, so the packages have to be of its architecture."""
import hashlib
import json
import os
import platform
import re
import subprocess
import sys
import tempfile


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def needed(folder):
    """The shared objects that programs below the folder are linked to."""
    for directory, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(directory, name)
            with open(path, "rb") as file:
                if file.read(4) == b"\x7fELF":
                    yield from re.findall(r"\(NEEDED\).*\[(.*)\]", run("readelf", "-d", path))


def package_of(soname):
    """Name and version of the package of this machine that has it."""
    path = next(line.split(" => ")[1] for line in run("/sbin/ldconfig", "-p").splitlines() if line.split()[0] == soname)
    for candidate in (path, os.path.realpath(path), path.removeprefix("/usr"), os.path.realpath(path).removeprefix("/usr")):
        found = subprocess.run(["dpkg", "-S", candidate], capture_output=True, text=True).stdout
        if found:
            name = found.split(":")[0]
            return name, run("dpkg-query", "-W", "-f", "${Version}", f"{name}:{run('dpkg', '--print-architecture').strip()}")
    raise AssertionError(f"no package has {path}")


def check_shape(bill):
    assert bill["spdxVersion"] == "SPDX-2.3" and bill["dataLicense"] == "CC0-1.0" and bill["SPDXID"] == "SPDXRef-DOCUMENT"
    assert re.match(r"https?://[^#\s]+$", bill["documentNamespace"]), "the namespace is no URI"
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", bill["creationInfo"]["created"])
    assert all(re.match("(Tool|Person|Organization): ", who) for who in bill["creationInfo"]["creators"])
    identifiers = [package["SPDXID"] for package in bill["packages"]]
    assert len(set(identifiers)) == len(identifiers), "an id is there twice"
    assert all(re.match(r"SPDXRef-[A-Za-z0-9.-]+$", identifier) for identifier in identifiers)
    for package in bill["packages"]:
        for field in ("name", "versionInfo", "downloadLocation", "licenseConcluded", "licenseDeclared", "copyrightText", "supplier"):
            assert package[field], f"{package['SPDXID']} has no {field}"
        locator = package["externalRefs"][0]["referenceLocator"]
        assert re.match(r"pkg:(deb/(debian|holdfast)|generic)/[^\s@]+@[^\s@]+$", locator)
        if package["supplier"] == "Organization: Debian":
            assert locator.endswith(f"distro={platform.freedesktop_os_release()['VERSION_CODENAME']}"), f"{locator} is of another Debian"
    known = {*identifiers, "SPDXRef-DOCUMENT"}
    for relation in bill["relationships"]:
        assert {relation["spdxElementId"], relation["relatedSpdxElement"]} <= known, f"{relation} points nowhere"


def check_contents(bill, debs):
    packages = {package["SPDXID"]: package for package in bill["packages"]}
    described = {packages[r["relatedSpdxElement"]].get("packageFileName"): r["relatedSpdxElement"]
                 for r in bill["relationships"] if r["relationshipType"] == "DESCRIBES"}
    libraries = 0
    for deb in debs:
        identifier = described[os.path.basename(deb)]
        with open(deb, "rb") as file:
            assert packages[identifier]["checksums"][0]["checksumValue"] == hashlib.sha256(file.read()).hexdigest(), f"another {deb}"
        linked = {packages[r["relatedSpdxElement"]]["name"]: packages[r["relatedSpdxElement"]]["versionInfo"]
                  for r in bill["relationships"] if r["spdxElementId"] == identifier and r["relationshipType"] == "DYNAMIC_LINK"}
        with tempfile.TemporaryDirectory() as folder:
            run("dpkg-deb", "-x", deb, folder)
            for soname in sorted(set(needed(folder))):
                name, version = package_of(soname)
                assert linked.get(name) == version, f"{deb} loads {soname} of {name} {version}, and the bill says {linked.get(name)}"
                libraries += 1
    assert libraries, "no program loads any library"
    assert any(package["name"] == "libexpected-dev" for package in packages.values()), "a header library that is compiled in is missing"


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        bill = json.load(file)
    check_shape(bill)
    check_contents(bill, [deb for deb in sys.argv[2:] if "-dbgsym_" not in deb])


if __name__ == "__main__":
    main()
