"""Where and when something ran: what varies between runs without mattering to their result."""

import getpass
import importlib.metadata
import os
import platform
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from regen.files import sha256
from regen.image import VARIABLE

ENVIRONMENT_PACKAGES = ("numpy", "scipy", "torch", "transformers", "peft", "snakemake", "dvc")


def describe_run() -> dict[str, Any]:
    """User, host, processor, git state and environment of this process. Nothing here may fail."""
    return {
        "host": socket.gethostname(),
        "user": _user(),
        "processors": os.cpu_count(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "git": git_state(),
        "environment": environment(),
    }


def git_state() -> dict[str, Any]:
    """Commit, branch and whether tracked files are changed; empty outside a repository."""
    commit = _git("rev-parse", "HEAD")
    if not commit:
        return {}
    return {
        "commit": commit,
        "branch": _git("rev-parse", "--abbrev-ref", "HEAD"),
        "dirty": bool(_git("status", "--porcelain", "--untracked-files=no")),
    }


def committed(path: Path) -> bool:
    """Whether a file is as git's last commit has it; no outside a repository."""
    inside = ("-C", str(path.parent))
    blob = _git(*inside, "rev-parse", "--verify", "--quiet", f"HEAD:./{path.name}")
    return bool(blob) and blob == _git(*inside, "hash-object", path.name)


def environment() -> dict[str, str]:
    """Versions of the packages that matter, the hash of the lock that they were installed from, and
    the image if there is one."""
    found = {}
    for package in ENVIRONMENT_PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    lock = Path(sys.prefix).parent / "constraints.txt"  # an image has its own
    if lock.exists():
        found["lock"] = sha256(lock)
    if image := os.environ.get(VARIABLE):
        found["image"] = image
    return found


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run as a number without a name
        return str(os.getuid())


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
