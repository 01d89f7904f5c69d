#!/usr/bin/python3
"""run_tests.py FOLDER [NAME...]: runs the tests of a folder by name, all without one; `--list` prints each with its seconds,
processors and labels.

Exit code: 0 passed, 1 failed, 77 skipped. The build directory comes in HOLDFAST_BUILD; HOLDFAST_LONG=1 runs the long forms.
"""
import os
import sys
import unittest

sys.dont_write_bytecode = True


class Result(unittest.TextTestResult):
    """Shows the logs of what was running, while it still is there."""

    def addError(self, test, err):
        super().addError(test, err)
        self._dump(test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._dump(test)

    @staticmethod
    def _dump(test):
        if hasattr(test, "agents"):
            test.dump()


def all_tests(suite):
    for entry in suite:
        if isinstance(entry, unittest.TestSuite):
            yield from all_tests(entry)
        else:
            yield entry


def main(folder, arguments):
    sys.path.insert(0, folder)
    loader = unittest.TestLoader()
    if arguments and arguments[0] != "--list":
        suite = loader.loadTestsFromNames(arguments)
    else:
        suite = loader.discover(folder, pattern="test_*.py")
    if loader.errors:
        print(*loader.errors, sep="\n", file=sys.stderr)
        return 1
    if arguments and arguments[0] == "--list":
        for test in all_tests(suite):
            method = getattr(test, test._testMethodName)
            timeout, processors = getattr(method, "needs", (60, 1))
            print(test.id(), timeout, processors, getattr(method, "labels", "e2e"))
        return 0
    result = unittest.TextTestRunner(verbosity=2, resultclass=Result).run(suite)
    if not result.wasSuccessful() or result.testsRun == 0:
        return 1
    return 77 if len(result.skipped) == result.testsRun else 0


if __name__ == "__main__":
    sys.exit(main(os.path.abspath(sys.argv[1]), sys.argv[2:]))
