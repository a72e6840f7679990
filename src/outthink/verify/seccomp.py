"""A filter of system calls for code that nobody trusts, as the kernel wants it: a program of its packet filter, made here.

It is a second wall: namespaces and limits stand without it. What it takes away is what tested code has no business with and kernels have
had their holes in: new processes (threads stay), sockets, memory that no limit counts, other processes' memory, mounts and namespaces.

Source: Linux `seccomp(2)`, `Documentation/userspace-api/seccomp_filter.rst`; the numbers from the kernel's tables of system calls.
"""

from __future__ import annotations

import errno
import platform
import struct
from collections.abc import Mapping

CLONE_THREAD = 0x00010000
_LOAD, _EQUAL, _AT_LEAST, _HAS_BITS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _MACHINE, _FIRST_ARGUMENT = 0, 4, 16
_ALLOW, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000
_X32 = 0x40000000

# name: (x86_64, aarch64); None where a machine has no such call.
_CALLS: Mapping[str, tuple[int | None, int | None]] = {
    "fork": (57, None), "vfork": (58, None),
    "socket": (41, 198), "connect": (42, 203), "bind": (49, 200), "listen": (50, 201),
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "shmget": (29, 194), "shmat": (30, 196),
    "msgget": (68, 186), "semget": (64, 190), "mq_open": (240, 180),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "pidfd_getfd": (438, 438),
    "kcmp": (312, 272), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51),
    "unshare": (272, 97), "setns": (308, 268), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "fsmount": (432, 432), "mount_setattr": (442, 442), "bpf": (321, 280), "perf_event_open": (298, 241),
    "userfaultfd": (323, 282), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427), "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218),
    "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106), "kexec_load": (246, 104),
    "reboot": (169, 142), "swapon": (167, 224), "swapoff": (168, 225), "acct": (163, 89), "quotactl": (179, 60),
    "open_by_handle_at": (304, 265), "fanotify_init": (300, 262),
}  # fmt: skip
_CLONE, _CLONE3 = (56, 220), (435, 435)
_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}


def supported() -> bool:
    """Whether the numbers of this machine's calls are known here."""
    return platform.machine() in _MACHINES


def call_filter() -> bytes:
    """The filter's program for this machine. Raises `KeyError` where it is not `supported`."""
    column, machine = _MACHINES[platform.machine()]
    refused = sorted(number for numbers in _CALLS.values() if (number := numbers[column]) is not None)
    lines = [
        _line(_LOAD, _MACHINE),
        _line(_EQUAL, machine, 1, 0),
        _line(_RETURN, _KILL),
        _line(_LOAD, _NUMBER),
        # x86-64 has every call a second time under numbers of its own.
        _line(_AT_LEAST, _X32, 0, 1),
        _line(_RETURN, _ERROR | errno.EPERM),
        # Without it the C library falls back to the older call, whose flags can be looked at.
        _line(_EQUAL, _CLONE3[column], 0, 1),
        _line(_RETURN, _ERROR | errno.ENOSYS),
        _line(_EQUAL, _CLONE[column], 0, 4),
        _line(_LOAD, _FIRST_ARGUMENT),
        _line(_HAS_BITS, CLONE_THREAD, 0, 1),
        _line(_RETURN, _ALLOW),
        _line(_RETURN, _ERROR | errno.EPERM),
    ]
    for number in refused:
        lines += [_line(_EQUAL, number, 0, 1), _line(_RETURN, _ERROR | errno.EPERM)]
    return b"".join([*lines, _line(_RETURN, _ALLOW)])


def _line(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
