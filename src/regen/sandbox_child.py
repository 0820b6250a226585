"""Run by `sandbox` in a process of its own: gives up what it may do, then runs the program.

Imports nothing of the package, so that it starts quickly and holds nothing worth reading.
"""

import ctypes
import json
import os
import platform
import resource
import signal
import struct
import sys

NEW_USER, NEW_MOUNTS, NEW_PIDS = 0x10000000, 0x00020000, 0x20000000
NEW_NETWORK, NEW_IPC, NEW_NAMES = 0x40000000, 0x08000000, 0x04000000
PRIVATE, NO_SUID, NO_DEVICES = 0x44000, 2, 4  # MS_REC | MS_PRIVATE, MS_NOSUID, MS_NODEV
SET_ATTRIBUTES = 442  # mount_setattr, the same number on every architecture
HERE, RECURSIVE, READ_ONLY = -100, 0x8000, 1
DEATH_SIGNAL, NO_NEW_PRIVILEGES, SECCOMP, FILTER = 1, 38, 22, 2
UNCONFINED = 97
"""Exit status where the kernel gives no namespaces, or nothing may be mounted in them."""

CALLS = {
    "x86_64": (0xC000003E, 56, (57, 58, 59, 322, 101, 165, 166, 272, 308)),
    "aarch64": (0xC00000B7, 220, (221, 281, 117, 40, 39, 97, 268)),
}
"""{machine: (its number, clone, the calls that are refused)}: those that start a process or another
program, ptrace, mount, umount2, unshare, setns."""
EVERYWHERE = (428, 429, 430, 442)
"""Refused on every machine: open_tree, move_mount, fsopen, mount_setattr."""
CAPABILITIES = 0x20080522
CLONE3 = 435
THREAD = 0x00010000
ALLOW, REFUSE, NOT_THERE, KILL = 0x7FFF0000, 0x00050001, 0x00050026, 0x80000000

libc = ctypes.CDLL(None, use_errno=True)


def checked(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def namespaces() -> None:
    """Namespaces of its own; the user is the same one."""
    user, group = os.getuid(), os.getgid()
    kinds = NEW_USER | NEW_MOUNTS | NEW_PIDS | NEW_NETWORK | NEW_IPC | NEW_NAMES
    checked(libc.unshare(kinds))
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def mounts(disk_mb: int) -> None:
    """Everything read-only but an empty folder in memory, which is the current one; no /proc."""
    folder = os.getcwd().encode()
    checked(libc.mount(None, b"/", None, PRIVATE, None))
    attributes = struct.pack("QQQQ", READ_ONLY, 0, 0, 0)
    checked(libc.syscall(SET_ATTRIBUTES, HERE, b"/", RECURSIVE, attributes, len(attributes)))
    safe = NO_SUID | NO_DEVICES
    checked(libc.mount(b"tmpfs", folder, b"tmpfs", safe, f"size={disk_mb}m".encode()))
    checked(libc.mount(b"tmpfs", b"/proc", b"tmpfs", safe, b"size=4k"))
    os.chdir(folder)


def no_capabilities() -> None:
    """Of the namespace's own, which would undo what was set up in it."""
    header = struct.pack("Ii", CAPABILITIES, 0)
    checked(libc.capset(header, bytes(24)))


def limits(given: dict[str, float]) -> None:
    memory, disk = int(given["memory_mb"]) << 20, int(given["disk_mb"]) << 20
    seconds = int(given["seconds"]) + 1
    for kind, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, disk),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (most, most))


def no_processes() -> None:
    """A filter of system calls: threads may be started, processes and other programs may not."""
    if platform.machine() not in CALLS:
        resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
        return
    machine, clone, refused = CALLS[platform.machine()]
    load, equal, at_least, bits, end = 0x20, 0x15, 0x35, 0x45, 0x06
    filter_ = [(load, 0, 0, 4), (equal, 1, 0, machine), (end, 0, 0, KILL), (load, 0, 0, 0)]
    filter_ += [(at_least, 0, 1, 0x40000000), (end, 0, 0, KILL)]
    for number in (*refused, *EVERYWHERE):
        filter_ += [(equal, 0, 1, number), (end, 0, 0, REFUSE)]
    filter_ += [(equal, 0, 1, CLONE3), (end, 0, 0, NOT_THERE)]  # the C library then takes clone
    filter_ += [(equal, 1, 0, clone), (end, 0, 0, ALLOW), (load, 0, 0, 16)]
    filter_ += [(bits, 0, 1, THREAD), (end, 0, 0, ALLOW), (end, 0, 0, REFUSE)]
    packed = b"".join(struct.pack("HBBI", *one) for one in filter_)
    buffer = ctypes.create_string_buffer(packed)
    program = struct.pack("HxxxxxxP", len(filter_), ctypes.addressof(buffer))
    checked(libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0))
    checked(libc.prctl(SECCOMP, FILTER, program, 0, 0))


def inside(program: str, given: dict[str, float]) -> None:
    """Run the program, then say the token: only who comes to the end says it.

    Where there are no limits, what is said is the token and "!"; no program can know it.
    """
    pipe, token = int(given.pop("pipe")), str(given.pop("token"))
    try:
        limits(given)
        no_processes()
    except OSError:
        if not given["trusted"]:
            os.write(pipe, f"{token}!".encode())
            os._exit(UNCONFINED)
    exec(compile(program, "program", "exec"), {"__name__": "__main__"})
    os.write(pipe, token.encode())


def main() -> None:
    given = json.loads(sys.argv.pop())
    program = sys.stdin.read()
    try:
        namespaces()
        mounts(int(given["disk_mb"]))
        no_capabilities()
    except OSError:
        if not given["trusted"]:
            os._exit(UNCONFINED)
    child = os.fork()  # the first one in the new namespace of processes
    if child == 0:
        checked(libc.prctl(DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0))
        try:
            inside(program, given)
        except SystemExit:
            os.write(2, b"it left before its end\n")
            os._exit(1)
        except BaseException as error:
            os.write(2, f"{type(error).__name__}: {error}\n"[:400].encode(errors="replace"))
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code == UNCONFINED:  # the program's own, which is none of ours
        code = 1
    os._exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
