#include "check/seccomp.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
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

// clang-format off
constexpr unsigned kAllowed[] = {
    // Files, where the mounts allow them.
    __NR_read, __NR_write, __NR_readv, __NR_writev, __NR_pread64, __NR_pwrite64, __NR_preadv, __NR_pwritev,
    __NR_close, __NR_close_range, __NR_lseek, __NR_openat, __NR_faccessat, __NR_faccessat2, __NR_fstat,
    __NR_newfstatat, __NR_statx, __NR_statfs, __NR_fstatfs, __NR_readlinkat, __NR_getdents64, __NR_getcwd,
    __NR_chdir, __NR_fchdir, __NR_mkdirat, __NR_unlinkat, __NR_renameat, __NR_renameat2, __NR_linkat,
    __NR_symlinkat, __NR_ftruncate, __NR_truncate, __NR_fsync, __NR_fdatasync, __NR_flock, __NR_utimensat,
    __NR_umask, __NR_dup, __NR_dup3, __NR_fcntl, __NR_pipe2, __NR_sendfile, __NR_copy_file_range,
    __NR_getxattr, __NR_lgetxattr, __NR_fgetxattr, __NR_listxattr, __NR_llistxattr, __NR_flistxattr,
    // Waiting.
    __NR_ppoll, __NR_pselect6, __NR_epoll_create1, __NR_epoll_ctl, __NR_epoll_pwait, __NR_eventfd2,
    __NR_nanosleep, __NR_clock_nanosleep, __NR_wait4, __NR_waitid, __NR_restart_syscall,
    // Memory.
    __NR_mmap, __NR_munmap, __NR_mprotect, __NR_mremap, __NR_madvise, __NR_brk,
    // Threads and signals, of which none leave the sandbox.
    __NR_futex, __NR_set_robust_list, __NR_get_robust_list, __NR_set_tid_address, __NR_rseq,
    __NR_sched_yield, __NR_sched_getaffinity, __NR_exit, __NR_exit_group, __NR_rt_sigaction,
    __NR_rt_sigprocmask, __NR_rt_sigreturn, __NR_rt_sigpending, __NR_rt_sigsuspend, __NR_rt_sigtimedwait,
    __NR_sigaltstack, __NR_tgkill, __NR_setitimer, __NR_getitimer,
    // What Python asks about itself.
    __NR_getrandom, __NR_clock_gettime, __NR_clock_getres, __NR_gettimeofday, __NR_getpid, __NR_gettid,
    __NR_getppid, __NR_getpgid, __NR_getsid, __NR_getuid, __NR_geteuid, __NR_getgid, __NR_getegid,
    __NR_getgroups, __NR_getresuid, __NR_getresgid, __NR_getrusage, __NR_getrlimit, __NR_setrlimit,
    __NR_times, __NR_sysinfo, __NR_uname,
    // Of a pair made by socketpair() only (asyncio wakes itself by one): socket() is not allowed.
    __NR_sendto, __NR_recvfrom, __NR_shutdown, __NR_getsockopt, __NR_setsockopt, __NR_getsockname,
    __NR_getpeername,
#if defined(__x86_64__)  // their names before the ones above
    __NR_open, __NR_access, __NR_stat, __NR_lstat, __NR_readlink, __NR_mkdir, __NR_rmdir, __NR_unlink,
    __NR_rename, __NR_link, __NR_symlink, __NR_creat, __NR_utime, __NR_utimes, __NR_dup2, __NR_pipe,
    __NR_poll, __NR_select, __NR_epoll_create, __NR_epoll_wait, __NR_eventfd, __NR_pause, __NR_alarm,
    __NR_time, __NR_getpgrp, __NR_arch_prctl,
#endif
};
// clang-format on

// Allowed where an argument, masked, is the value; a call may have several rows.
struct Condition {
  unsigned call;
  unsigned argument;
  unsigned mask;
  unsigned value;
};
constexpr unsigned kSetIds = 06000;
constexpr Condition kConditions[] = {
    {__NR_clone, 0, CLONE_THREAD, CLONE_THREAD},
    {__NR_prlimit64, 0, ~0u, 0},  // its own limits
    {__NR_socketpair, 0, ~0u, AF_UNIX},
    {__NR_ioctl, 1, ~0u, TCGETS},  // whether it is a terminal
    {__NR_ioctl, 1, ~0u, TIOCGWINSZ},
    {__NR_ioctl, 1, ~0u, FIOCLEX},
    {__NR_ioctl, 1, ~0u, FIONCLEX},
    {__NR_ioctl, 1, ~0u, FIONBIO},
    {__NR_ioctl, 1, ~0u, FIONREAD},
    {__NR_fchmod, 1, kSetIds, 0},
    {__NR_fchmodat, 2, kSetIds, 0},
#if defined(__x86_64__)
    {__NR_chmod, 1, kSetIds, 0},
#endif
};

constexpr unsigned kAllowedAtStart[] = {
    __NR_execve,
    __NR_clone,
    __NR_prctl,
#if defined(__x86_64__)
    __NR_fork,
#endif
};

constexpr unsigned kNewest = 450;  // the last call that was known when the list was made (Linux 6.6)
constexpr unsigned kRefused = SECCOMP_RET_ERRNO | EPERM, kUnknown = SECCOMP_RET_ERRNO | ENOSYS;

class Filter {
 public:
  void load(size_t offset) {
    program_.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<unsigned>(offset)));
  }
  void give(unsigned action) { program_.push_back(BPF_STMT(BPF_RET | BPF_K, action)); }
  // Goes on where the test holds, else passes over the next `skipped` instructions.
  void only_if(unsigned short test, unsigned value, unsigned char skipped) {
    program_.push_back(BPF_JUMP(static_cast<unsigned short>(BPF_JMP | test | BPF_K), value, 0, skipped));
  }
  void unless(unsigned short test, unsigned value, unsigned char skipped) {
    program_.push_back(BPF_JUMP(static_cast<unsigned short>(BPF_JMP | test | BPF_K), value, skipped, 0));
  }
  void give_for(unsigned call, unsigned action) {
    only_if(BPF_JEQ, call, 1);
    give(action);
  }
  // An argument's high word is not looked at: all of them are an int in the kernel.
  void give_for(const Condition& condition) {
    only_if(BPF_JEQ, condition.call, 5);
    load(offsetof(seccomp_data, args) + 8 * condition.argument);
    program_.push_back(BPF_STMT(BPF_ALU | BPF_AND | BPF_K, condition.mask));
    only_if(BPF_JEQ, condition.value, 1);
    give(SECCOMP_RET_ALLOW);
    load(offsetof(seccomp_data, nr));
  }
  std::string bytes() const {
    return std::string(reinterpret_cast<const char*>(program_.data()), program_.size() * sizeof(sock_filter));
  }

 private:
  std::vector<sock_filter> program_;
};

}  // namespace

std::string seccomp_filter(SandboxStage stage) {
  Filter filter;
  filter.load(offsetof(seccomp_data, arch));
  filter.unless(BPF_JEQ, kProcessor, 1);
  filter.give(SECCOMP_RET_KILL_PROCESS);
  filter.load(offsetof(seccomp_data, nr));
#if defined(__x86_64__)
  filter.only_if(BPF_JGE, 0x40000000u, 1);  // the x32 names of the same calls
  filter.give(kRefused);
#endif
  if (stage == SandboxStage::kStart)
    for (unsigned call : kAllowedAtStart) filter.give_for(call, SECCOMP_RET_ALLOW);
  for (unsigned call : kAllowed) filter.give_for(call, SECCOMP_RET_ALLOW);
  for (const Condition& condition : kConditions) filter.give_for(condition);
  filter.give_for(__NR_clone3, kUnknown);  // its flags lie in memory; the C library then takes clone
  filter.only_if(BPF_JGT, kNewest, 1);
  filter.give(kUnknown);
  filter.give(kRefused);
  return filter.bytes();
}

}  // namespace sdft
