#include "check/sandbox.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <fstream>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "data/code_points.h"
#include "testing.h"

namespace sdft {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Programs without tests.
std::vector<ProgramResult> run_python(const std::vector<std::string>& codes,
                                      const SandboxOptions& options = {}) {
  std::vector<Program> programs;
  for (const std::string& code : codes) programs.push_back({code});
  return run_programs(programs, options);
}

// Where bubblewrap may not make namespaces (some containers) nothing can be run, so there is nothing to test
// but that.
class SandboxTest : public ::testing::Test {
 protected:
  void SetUp() override {
    try {
      run_python({"pass"});
    } catch (const Error& error) {
      GTEST_SKIP() << error.what();
    }
  }
  static ProgramResult run(const std::string& program, SandboxOptions options = {}) {
    return run_python({program}, options).at(0);
  }
};

TEST_F(SandboxTest, Outcomes) {
  const std::pair<const char*, ProgramResult::Outcome> cases[] = {
      {"", ProgramResult::kPassed},
      {"def f(x):\n    return x * 2\nassert f(2) == 4\n", ProgramResult::kPassed},
      {"if __name__ == '__main__':\n    1 / 0", ProgramResult::kPassed},  // it is imported, not run
      {"import dataclasses, typing\n@dataclasses.dataclass\nclass A:\n    x: 'int' = 3\n"
       "assert typing.get_type_hints(A) == {'x': int}",
       ProgramResult::kPassed},
      {"import threading\nt = threading.Thread(target=print)\nt.start()\nt.join()", ProgramResult::kPassed},
      {"open('/tmp/a', 'w').write('x')\nassert open('/tmp/a').read() == 'x'", ProgramResult::kPassed},
      {"assert 1 == 2", ProgramResult::kFailed},
      {"1 / 0", ProgramResult::kFailed},
      {"def f(:", ProgramResult::kFailed},
      {"sys.path", ProgramResult::kFailed},  // not imported: the runner's own modules are out of sight
      {"os.getcwd()", ProgramResult::kFailed},
      {"import sys\nsys.exit(0)\nassert False", ProgramResult::kFailed},
      {"raise SystemExit(77)", ProgramResult::kFailed},
      {"input()", ProgramResult::kFailed},
      {"def f(): return f()\nf()", ProgramResult::kFailed},
      {"import os\nos._exit(0)\nassert False", ProgramResult::kCrashed},
      {"import ctypes\nctypes.string_at(0)", ProgramResult::kCrashed},
      {"import signal\nsignal.raise_signal(9)", ProgramResult::kCrashed},
      {"import sys\nsys.stdout.close()\nsys.stderr.close()", ProgramResult::kPassed},
  };
  std::vector<std::string> programs;
  for (const auto& entry : cases) programs.emplace_back(entry.first);
  programs.emplace_back(std::string("x = 1\0", 6));
  programs.emplace_back("print('\\ud800')");
  programs.emplace_back("\xff\xfe");
  std::vector<ProgramResult> results = run_python(programs);
  ASSERT_EQ(results.size(), programs.size());
  for (size_t i = 0; i < std::size(cases); ++i)
    EXPECT_EQ(results[i].outcome, cases[i].second) << cases[i].first << "\n" << results[i].output;
  for (size_t i = std::size(cases); i < programs.size(); ++i)
    EXPECT_EQ(results[i].outcome, ProgramResult::kFailed) << i << results[i].output;
}

TEST_F(SandboxTest, ResultsKeepTheirOrderWhateverTheNumberOfJobs) {
  std::vector<std::string> programs;
  for (int i = 0; i < 12; ++i)
    programs.push_back("import time\ntime.sleep(" + std::to_string((12 - i) * 0.01) + ")\nprint(" +
                       std::to_string(i) + ")\nassert " + std::to_string(i % 3));
  for (int jobs : {1, 3, 40}) {
    SandboxOptions options;
    options.jobs = jobs;
    std::vector<ProgramResult> results = run_python(programs, options);
    for (size_t i = 0; i < results.size(); ++i) {
      EXPECT_EQ(results[i].passed(), i % 3 != 0) << results[i].output;
      EXPECT_THAT(results[i].output, HasSubstr(std::to_string(i) + "\n"));
    }
  }
  EXPECT_TRUE(run_python({}).empty());
}

TEST_F(SandboxTest, OutputSaysWhereItFailed) {
  ProgramResult result = run("print('caf\xc3\xa9')\ndef f():\n    assert False, 'why'\nf()\n");
  EXPECT_THAT(result.output, HasSubstr("caf\xc3\xa9\n"));
  EXPECT_THAT(result.output, HasSubstr("File \"program.py\", line 3, in f"));
  EXPECT_THAT(result.output, HasSubstr("AssertionError: why"));
  EXPECT_THAT(result.output, Not(HasSubstr("<string>")));
  std::string bytes = run("import os\nos.write(1, b'\\xff\\xfe ok')").output;
  EXPECT_EQ(bytes, to_utf8(code_points(bytes)));
  EXPECT_THAT(bytes, HasSubstr(" ok"));
}

TEST_F(SandboxTest, HashesAreFixed) {
  const std::string program = "print(hash('a'), list({'x', 'y', 'z', 'w', 'v'}))";
  EXPECT_EQ(run(program).output, run(program).output);
}

TEST_F(SandboxTest, EndlessProgramsAreKilled) {
  SandboxOptions options;
  options.seconds = 0.5;
  options.jobs = 6;
  auto begin = std::chrono::steady_clock::now();
  std::vector<ProgramResult> results = run_python(
      {"while True: pass", "import time\ntime.sleep(1000)",
       "import signal\nfor s in range(1, 65):\n    try: signal.signal(s, signal.SIG_IGN)\n    except "
       "Exception: pass\n"
       "while True: pass",
       "while True: print('x' * 1000)",
       "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
       "import threading, time\nthreading.stack_size(65536)\nwhile True:\n"
       "    try: threading.Thread(target=time.sleep, args=(1000,)).start()\n    except Exception: pass"},
      options);
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  for (const ProgramResult& result : results) {
    EXPECT_EQ(result.outcome, ProgramResult::kTimedOut) << result.output;
    EXPECT_LE(result.output.size(), options.output_bytes);
  }
  EXPECT_LT(seconds, 10);
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);  // none is left behind
  EXPECT_EQ(errno, ECHILD);
}

TEST_F(SandboxTest, MemoryFilesAndProcessesAreLimited) {
  SandboxOptions options;
  options.jobs = 2;
  options.seconds = 60;  // none of them runs against it
  std::vector<ProgramResult> results = run_python(
      {"x = 'x' * 10**10", "x = []\nwhile True: x.append(bytearray(10**7))",
       "f = open('/tmp/big', 'wb')\nwhile True: f.write(bytes(10**6))",
       "for i in range(1000): open('/tmp/%d' % i, 'wb').write(bytes(10**6))",
       "import os\nfd = os.memfd_create('m')\nwhile True: os.write(fd, bytes(10**6))", "import os\nos.fork()",
       "import subprocess\nsubprocess.run(['/usr/bin/true'])", "import os\nos.system('true') == 0 or 1 / 0",
       "import multiprocessing\nmultiprocessing.Process(target=print).start()", "open('/usr/x', 'w')",
       "open('/x', 'w')", "import os\nos.mkdir('/home')"},
      options);
  for (size_t i = 0; i < results.size(); ++i)
    EXPECT_EQ(results[i].outcome, ProgramResult::kFailed) << i << ": " << results[i].output;
  EXPECT_THAT(results[0].output, HasSubstr("MemoryError"));
}

TEST_F(SandboxTest, NothingOfTheHostIsThere) {
  sdft::testing::ScratchDir scratch;
  write_file_atomic(scratch / "secret", "s");
  ::setenv("SDFT_TEST_SECRET", "s", 1);
  int leaked = ::open((scratch / "secret").c_str(), O_RDONLY);  // without close-on-exec, as libraries do
  ASSERT_GE(leaked, 0);
  const std::string secret = (scratch / "secret").string();
  std::vector<ProgramResult> results =
      run_python({"import os\nassert not os.path.exists('" + secret + "')",
                  "import os\nassert not os.path.exists('/etc') and not os.path.exists('/home') and not "
                  "os.path.exists('/root')",
                  "import os\nassert not os.listdir('/tmp') and os.getcwd() == '/tmp'",
                  "import os\nassert set(os.environ) <= {'PYTHONHASHSEED', 'LC_ALL', 'PWD'}, os.environ",
                  // Beside the standard ones: its ends of the two pipes to the judge.
                  "import os, stat\nfound = []\nfor fd in range(3, 1024):\n    try:\n"
                  "        found.append(stat.S_ISFIFO(os.fstat(fd).st_mode))\n    except OSError:\n"
                  "        pass\nassert found == [True, True], found",
                  "import os\nassert os.getpid() < 10",
                  "import os\nassert 0 not in (os.getuid(), os.geteuid(), os.getgid(), os.getegid())",
                  "import socket\nassert socket.gethostname() == 'sandbox'"});
  ::close(leaked);
  ::unsetenv("SDFT_TEST_SECRET");
  for (size_t i = 0; i < results.size(); ++i)
    EXPECT_TRUE(results[i].passed()) << i << ": " << results[i].output;
}

TEST_F(SandboxTest, NoNetworkNotEvenToTheHost) {
  int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(listener, 1), 0);
  ASSERT_EQ(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), 0);
  const std::string port = std::to_string(ntohs(address.sin_port));
  for (const char* host : {"127.0.0.1", "192.0.2.1"}) {
    ProgramResult result =
        run("import socket\nsocket.create_connection(('" + std::string(host) + "', " + port + "), 2)");
    EXPECT_EQ(result.outcome, ProgramResult::kFailed) << result.output;
    EXPECT_THAT(result.output, HasSubstr("PermissionError"));
  }
  ::fcntl(listener, F_SETFL, O_NONBLOCK);
  EXPECT_EQ(::accept(listener, nullptr, nullptr), -1);
  ::close(listener);
}

TEST_F(SandboxTest, WhatCPythonDoesNotNeedIsRefused) {
  const std::string libc = "import ctypes, os\nc = ctypes.CDLL(None, use_errno=True)\n";
  for (const char* call : {"c.unshare(0x10000000)",
                           "c.unshare(0x20000)",
                           "c.setns(0, 0)",
                           "c.ptrace(0, 0, 0, 0)",
                           "c.mount(b'none', b'/tmp', b'tmpfs', 0, None)",
                           "c.chroot(b'/tmp')",
                           "c.fork()",
                           "c.vfork()",
                           "c.shmget(0, 4096, 0o1600)",
                           "c.semget(0, 1, 0o1600)",
                           "c.msgget(0, 0o1600)",
                           "c.memfd_create(b'x', 0)",
                           "c.socket(1, 1, 0)",
                           "c.socket(16, 3, 0)",
                           "c.socket(17, 3, 3)",
                           "c.socket(40, 1, 0)",
                           "c.execve(b'/usr/bin/true', None, None)",
                           "c.kill(1, 9)",
                           "c.prctl(22, 2, None)",
                           "c.inotify_init()",
                           "c.personality(8)",
                           "c.setuid(0)",
                           "c.open('/tmp'.encode(), 0) and c.chmod(b'/tmp', 0o4755)"}) {
    ProgramResult result = run(libc + "assert " + call + " == -1\nassert ctypes.get_errno() in (1, 38)");
    EXPECT_TRUE(result.passed()) << call << result.output;
  }
  ProgramResult result =
      run("import ctypes\nctypes.CDLL('librt.so.1').mq_open(b'/x', 0o102, 0o600, None) == -1 "
          "or 1 / 0");
  EXPECT_TRUE(result.passed()) << result.output;
#if defined(__x86_64__)
  for (const char* number : {"321", "248", "425", "434", "438", "310", "9999"}) {
    result =
        run(libc + "assert c.syscall(" + number + ", 0, 0, 0) == -1\nassert ctypes.get_errno() in (1, 38)");
    EXPECT_TRUE(result.passed()) << number << result.output;
  }
#endif
}

// What programs may well use goes on to work under the filter.
TEST_F(SandboxTest, WhatProgramsUseIsAllowed) {
  SandboxOptions options;
  options.seconds = 10;
  std::vector<ProgramResult> results = run_python(
      {"import asyncio\nasync def f():\n    await asyncio.sleep(0.01)\n    return 3\nassert asyncio.run(f()) "
       "== 3",
       "import concurrent.futures\nwith concurrent.futures.ThreadPoolExecutor(4) as pool:\n"
       "    assert list(pool.map(abs, [-1, -2])) == [1, 2]",
       "import os, shutil, tempfile\nd = tempfile.mkdtemp()\nopen(d + '/a', 'w').write('x')\n"
       "shutil.copy2(d + '/a', d + '/b')\nos.rename(d + '/b', d + '/c')\nassert sorted(os.listdir(d)) == "
       "['a', 'c']\n"
       "shutil.rmtree(d)\nassert not os.path.exists(d)",
       "import random, time, uuid, datetime, hashlib, secrets\nrandom.random(); secrets.token_hex(); "
       "uuid.uuid4()\n"
       "time.sleep(0.01); datetime.datetime.now(); hashlib.sha256(b'x').hexdigest()",
       "import sqlite3\nassert sqlite3.connect(':memory:').execute('select 1 + 1').fetchone() == (2,)",
       "import signal, time\nfired = []\nsignal.signal(signal.SIGALRM, lambda *a: fired.append(1))\n"
       "signal.setitimer(signal.ITIMER_REAL, 0.01)\ntime.sleep(0.05)\nassert fired",
       "import decimal, fractions, statistics, json, re, csv, io, itertools, functools, heapq, bisect, "
       "string, "
       "textwrap, unicodedata, zlib, base64, struct, array, copy, pprint, enum, dataclasses, typing, abc, "
       "queue",
       "import sys\nsys.setrecursionlimit(5000)\ndef f(n): return n and f(n - 1)\nf(3000)"},
      options);
  for (size_t i = 0; i < results.size(); ++i)
    EXPECT_TRUE(results[i].passed()) << i << ": " << results[i].output;
}

std::string fault_of(const SandboxOptions& options) {
  try {
    run_python({"pass"}, options);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kInput);
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

TEST(SandboxFaults, SayWhatToInstallOrAllow) {
  SandboxOptions options;
  options.bwrap = "/nowhere/bwrap";
  EXPECT_THAT(fault_of(options), HasSubstr("install the package bubblewrap"));

  sdft::testing::ScratchDir scratch;
  write_file_atomic(scratch / "bwrap",
                    "#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n");
  ::chmod((scratch / "bwrap").c_str(), 0755);
  options.bwrap = (scratch / "bwrap").string();
  EXPECT_THAT(fault_of(options),
              HasSubstr("No permissions to create new namespace (it needs unprivileged user"));
  ::chmod((scratch / "bwrap").c_str(), 0644);
  EXPECT_THAT(fault_of(options), HasSubstr("cannot start"));
}

TEST_F(SandboxTest, MissingPython) {
  SandboxOptions options;
  options.python = "/usr/bin/python-of-nowhere";
  EXPECT_THAT(fault_of(options), HasSubstr("install the package python3"));
}

TEST_F(SandboxTest, FewFileDescriptors) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  for (rlim_t few : {rlim_t{8}, rlim_t{11}}) {
    const rlimit limit{few, before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
    std::string message;
    try {
      run_python({"pass"});
    } catch (const Error& error) {
      message = error.what();
    }
    ::setrlimit(RLIMIT_NOFILE, &before);
    EXPECT_THAT(message, HasSubstr("ulimit -n 1024")) << few;
  }
  // Fewer than a program may have of its own are enough.
  EXPECT_EXIT(
      {
        rlimit limit;
        limit.rlim_cur = limit.rlim_max = 32;
        ::setrlimit(RLIMIT_NOFILE, &limit);
        ::_exit(run_python({"pass"}).at(0).passed() ? 0 : 1);
      },
      ::testing::ExitedWithCode(0), "");
}

TEST_F(SandboxTest, SixHundredSmallPrograms) {
  std::vector<std::string> programs(600, "def add(a, b):\n    return a + b\nassert add(1, 2) == 3\n");
  for (const ProgramResult& result : run_python(programs)) ASSERT_TRUE(result.passed()) << result.output;
}

}  // namespace
}  // namespace sdft
