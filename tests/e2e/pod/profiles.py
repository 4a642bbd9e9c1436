"""What a pod's container may do, by the name of what made it so.

  runtime-default  Docker's and containerd's 14 capabilities; their default seccomp profile without CAP_SYS_ADMIN: io_uring, unshare,
                   setns, mount and clone with new namespaces are refused with EPERM
  unset            the same capabilities, no seccomp filter: the kubelet's default
  crio             CRI-O's 9 capabilities (no SYS_CHROOT, MKNOD, SETFCAP); its filter lets mount through to the kernel, which wants
                   CAP_SYS_ADMIN; refusals are ENOSYS
  userns           hostUsers: false: root is 100000 outside, 65536 ids, no seccomp filter
  restricted       OpenShift's restricted-v2: a random uid of group 0, no capabilities, no_new_privs, the default seccomp profile
  readonly         readOnlyRootFilesystem with an emptyDir at /kaniko/work; runtime-default otherwise
  memory           runtime-default with a memory limit of 256 MiB
"""

NAMES = ("runtime-default", "unset", "crio", "userns", "restricted", "readonly", "memory")
FIRST_ID = 100000
ID_COUNT = 65536

_DOCKER = ["CAP_" + name for name in
           "CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL "
           "AUDIT_WRITE".split()]
_NOT_IN_CRIO = {"CAP_SYS_CHROOT", "CAP_MKNOD", "CAP_SETFCAP", "CAP_NET_RAW", "CAP_AUDIT_WRITE"}
_NEVER = "io_uring_setup io_uring_enter io_uring_register unshare setns bpf perf_event_open keyctl add_key request_key".split()
_MOUNTS = "mount umount2 pivot_root open_tree move_mount fsopen fsconfig fsmount mount_setattr fanotify_init".split()
_CLONE_NEW_FLAGS = 0x7E020000
_EPERM, _ENOSYS = 1, 38


def _filter(names, error):
    rules = [{"names": names, "action": "SCMP_ACT_ERRNO", "errnoRet": error},
             {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": _ENOSYS}]
    for bit in range(32):
        flag = 1 << bit
        if _CLONE_NEW_FLAGS & flag:
            rules.append({"names": ["clone"], "action": "SCMP_ACT_ERRNO", "errnoRet": error,
                          "args": [{"index": 0, "value": flag, "valueTwo": flag, "op": "SCMP_CMP_MASKED_EQ"}]})
    return {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"], "syscalls": rules}


def capabilities(profile):
    if profile == "restricted":
        return []
    return [c for c in _DOCKER if profile != "crio" or c not in _NOT_IN_CRIO]


def seccomp(profile):
    """The filter, or None."""
    if profile in ("unset", "userns"):
        return None
    if profile == "crio":
        return _filter(_NEVER, _ENOSYS)
    return _filter(_NEVER + _MOUNTS, _EPERM)


def user(profile):
    return {"uid": 1000650000, "gid": 0} if profile == "restricted" else {"uid": 0, "gid": 0}


def memory(profile):
    """Bytes, or 0 for no limit."""
    return 256 << 20 if profile == "memory" else 0
