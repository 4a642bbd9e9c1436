#include "io/process/child.hpp"

#include <signal.h>

#include <gtest/gtest.h>

#include "io/base/error.hpp"
#include "io/loop/task_group.hpp"
#include "tests/support/run_task.hpp"

namespace kiln::io {
namespace {

Output collect(Command command) {
  Runtime runtime({});
  Output output;
  auto body = [&]() -> Task<void> { output = co_await run_and_collect(runtime, std::move(command)); };
  testing::run(runtime, body());
  return output;
}

Command shell(const std::string& script) {
  Command command;
  command.program = "/bin/sh";
  command.arguments = {"-c", script};
  command.environment = {"PATH=/usr/bin:/bin"};
  return command;
}

TEST(Child, CodesSignalsAndOutput) {
  EXPECT_EQ(collect(shell("exit 7")).status.code, 7);
  const Output killed = collect(shell("kill -TERM $$"));
  EXPECT_EQ(killed.status.signal, SIGTERM);
  EXPECT_EQ(killed.status.code, 128 + SIGTERM);
  const Output both = collect(shell("echo out; echo err >&2; printf last"));
  EXPECT_EQ(both.out, "out\nlast\n");
  EXPECT_EQ(both.err, "err\n");
}

TEST(Child, InputAndEnvironmentAreExactlyWhatWasAsked) {
  Command command = shell("cat; env");
  command.input = "given";
  command.environment = {"PATH=/usr/bin:/bin", "A=b c"};
  const std::string out = collect(command).out;
  EXPECT_NE(out.find("given"), std::string::npos);
  EXPECT_NE(out.find("A=b c\n"), std::string::npos);
  EXPECT_EQ(out.find("HOME="), std::string::npos);
}

TEST(Child, WhatCannotBeStartedIsSaid) {
  Command command;
  command.program = "/does/not/exist";
  Runtime runtime({});
  auto body = [&]() -> Task<void> { co_await run_child(runtime, command); };
  try {
    testing::run(runtime, body());
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code(), 127);
  }
}

TEST(Child, LeavesNoDaemonBehind) {
  const Output output = collect(shell("setsid sleep 300 > /dev/null 2>&1 & echo $!"));
  const pid_t daemon = std::stoi(output.out);
  EXPECT_EQ(kill(daemon, 0), -1);
}

TEST(Child, CancellingEndsTheTree) {
  Runtime runtime({});
  bool cancelled = false;
  auto child = [&]() -> Task<void> {
    try {
      co_await run_child(runtime, shell("sleep 300 & sleep 300"));
    } catch (const Error& error) {
      cancelled = error.kind() == ErrorKind::cancelled;
      throw;
    }
  };
  auto body = [&]() -> Task<void> {
    TaskGroup group(runtime.executor());
    group.spawn(child());
    co_await sleep_for(std::chrono::milliseconds(50));
    group.cancel();
    co_await group.join();
  };
  testing::run(runtime, body());
  EXPECT_TRUE(cancelled);
}

}  // namespace
}  // namespace kiln::io
