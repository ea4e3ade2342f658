"""A filter of system calls, which bubblewrap sets for a confined process: what no strategy needs and what outlives it.

Refused are the kernel's keyrings, which are the user's and outlive a process; what empties the cache of files, or tells what is in it, for
that is a memory; new namespaces and mounts; and interfaces to other processes and to the kernel whose faults have often been a way out. The filter is a program in classic BPF, as
`man 2 seccomp` describes it, and holds for all descendants.
"""

import errno
import platform
import struct

X86_64, AARCH64 = 0xC000003E, 0xC00000B7  # AUDIT_ARCH_…, of <linux/audit.h>
REFUSED = {
    # name: number on x86_64, on aarch64
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "personality": (135, 92),
    "kcmp": (312, 272),
    "fadvise64": (221, 223),
    "mincore": (27, 232),
    "cachestat": (451, 451),
    "preadv2": (327, 286),
}
CLONE, CLONE3 = (56, 220), (435, 435)
NEW_NAMESPACES = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000
"""Flags of clone: CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET."""
X32 = 0x40000000
"""Calls of the x32 interface, which have other numbers, have this bit."""

_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data; its low half on both machines
_ALLOW, _FAIL, _KILL = 0x7FFF0000, 0x00050000, 0x80000000


def why_no_filter() -> str | None:
    """None where the filter knows this machine's numbers; else the reason why there is none."""
    machine = platform.machine()
    return None if machine in ("x86_64", "aarch64") else f"no filter of system calls for {machine}"


def program() -> bytes:
    """The filter for this machine, as bubblewrap's `--seccomp` reads it."""
    place, architecture = {"x86_64": (0, X86_64), "aarch64": (1, AARCH64)}[platform.machine()]
    refuse, absent = _step(_RETURN, _FAIL | errno.EPERM), _step(_RETURN, _FAIL | errno.ENOSYS)
    steps = [
        _step(_LOAD, _ARCHITECTURE),
        _step(_JUMP_EQUAL, architecture, 1, 0),
        _step(_RETURN, _KILL),  # another machine's numbers mean other calls
        _step(_LOAD, _NUMBER),
        _step(_JUMP_AT_LEAST, X32, 0, 1),
        absent,
        _step(_JUMP_EQUAL, CLONE3[place], 0, 1),
        absent,  # its flags lie in memory, where no filter reads: libraries then use clone
    ]
    for numbers in REFUSED.values():
        steps += [_step(_JUMP_EQUAL, numbers[place], 0, 1), refuse]
    steps += [
        _step(_JUMP_EQUAL, CLONE[place], 0, 3),
        _step(_LOAD, _FIRST_ARGUMENT),
        _step(_JUMP_ANY_BIT, NEW_NAMESPACES, 0, 1),
        refuse,
        _step(_RETURN, _ALLOW),
    ]
    return b"".join(steps)


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    """One instruction: struct sock_filter."""
    return struct.pack("=HBBI", code, if_true, if_false, value)
