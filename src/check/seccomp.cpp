#include "check/seccomp.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstddef>
#include <vector>

namespace sdft {
namespace {

#if defined(__x86_64__)
constexpr unsigned kProcessor = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr unsigned kProcessor = AUDIT_ARCH_AARCH64;
#else
#error "the sandbox knows the system calls of x86-64 and arm64 only: add this processor's AUDIT_ARCH"
#endif

constexpr unsigned kRefused = SECCOMP_RET_ERRNO | EPERM;

constexpr unsigned kDenied[] = {
#ifdef __NR_fork
    __NR_fork,
    __NR_vfork,
#endif
    __NR_unshare,
    __NR_setns,
    __NR_mount,
    __NR_umount2,
    __NR_pivot_root,
    __NR_chroot,
    __NR_ptrace,
    __NR_process_vm_readv,
    __NR_process_vm_writev,
    __NR_keyctl,
    __NR_add_key,
    __NR_request_key,
    __NR_bpf,
    __NR_perf_event_open,
    __NR_userfaultfd,
    __NR_io_uring_setup,
    __NR_io_uring_enter,
    __NR_io_uring_register,
    __NR_init_module,
    __NR_finit_module,
    __NR_delete_module,
    __NR_kexec_load,
    __NR_open_by_handle_at,
    __NR_fsopen,
    __NR_fsmount,
    __NR_move_mount,
    __NR_open_tree,
    __NR_mount_setattr,
    __NR_kcmp,
    __NR_pidfd_getfd,
    __NR_personality};

}  // namespace

std::string seccomp_filter() {
  std::vector<sock_filter> program;
  auto load = [&](size_t offset) {
    program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<unsigned>(offset)));
  };
  auto give = [&](unsigned action) { program.push_back(BPF_STMT(BPF_RET | BPF_K, action)); };
  // Goes on where the test holds, else passes over the next `skipped` instructions.
  auto only_if = [&](unsigned short test, unsigned value, unsigned char skipped) {
    program.push_back(BPF_JUMP(static_cast<unsigned short>(BPF_JMP | test | BPF_K), value, 0, skipped));
  };
  load(offsetof(seccomp_data, arch));
  program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kProcessor, 1, 0));
  give(SECCOMP_RET_KILL_PROCESS);
  load(offsetof(seccomp_data, nr));
#if defined(__x86_64__)
  only_if(BPF_JGE, 0x40000000u, 1);  // the x32 names of the same calls
  give(kRefused);
#endif
  for (unsigned call : kDenied) {
    only_if(BPF_JEQ, call, 1);
    give(kRefused);
  }
  only_if(BPF_JEQ, __NR_clone3, 1);  // its flags lie in memory; the C library then takes clone
  give(SECCOMP_RET_ERRNO | ENOSYS);
  only_if(BPF_JEQ, __NR_clone, 4);
  load(offsetof(seccomp_data, args));  // low word of the flags
  only_if(BPF_JSET, CLONE_THREAD, 1);
  give(SECCOMP_RET_ALLOW);
  give(kRefused);
  give(SECCOMP_RET_ALLOW);
  return std::string(reinterpret_cast<const char*>(program.data()), program.size() * sizeof(sock_filter));
}

}  // namespace sdft
